"""The page and its files: read once, served from memory, sent again only if changed."""

from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from flask import Response, request

_FOLDER = Path(__file__).parent / "static"
# Not the machine's own table, which may lack JavaScript modules or serve them as plain text.
_CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# No inline code, nothing from other hosts, no frames; scripts cannot create markup from strings.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Cached by the browser but revalidated each time: 304 unless it changed.
    "Cache-Control": "no-cache",
}


class File(NamedTuple):
    """One file of the page."""

    body: bytes
    content_type: str
    etag: str

    def response(self) -> Response:
        """Respond with the file, or with 304 if the browser has it already."""
        response = Response(self.body, content_type=self.content_type, headers=_HEADERS)
        response.set_etag(self.etag)
        response.make_conditional(request)
        del response.headers["Date"]  # werkzeug's; the server adds its own to every response
        return response


def read_files() -> dict[str, File]:
    """Read every file of the page, by name."""
    return {
        path.name: File(body, _CONTENT_TYPES[path.suffix], blake2b(body, digest_size=9).hexdigest())
        for path in sorted(_FOLDER.iterdir())
        if path.suffix in _CONTENT_TYPES
        for body in [path.read_bytes()]
    }
