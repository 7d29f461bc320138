"""Decodes a substation's response to `GET /metrics`. Pure."""

import zlib

from grid_common.http.response import UpstreamResponse
from grid_common.http.shown import shown
from load_balancer.gauge import UnreadableGauge, beginning
from load_balancer.routing.outcome import describe

# Without an Accept-Encoding a substation may compress (RFC 9110, section 12.5.3).
_GZIP = frozenset({"gzip", "x-gzip"})
_GZIP_WITH_HEADER = 31  # wbits value of zlib for gzip


def page_text(response: UpstreamResponse, limit: int) -> str:
    """Return the page as text.

    Args:
        response: the response.
        limit: maximum size of the page after decompression, bytes.

    Raises:
        UnreadableGauge: it is not a page, or too large.
    """
    body, coding = response.body, response.content_encoding.strip().lower()
    if coding in _GZIP:
        body = _unpacked(body, limit)
    elif coding not in ("", "identity"):
        raise UnreadableGauge(f"its page is encoded as {shown(coding)}; send text, or gzip")
    text = body.decode("utf-8", "replace")
    if response.status != 200:
        what = describe(response.status, response.location)
        raise UnreadableGauge(f"its page {what}; {beginning(text)}")
    return text


def over_limit(limit: int) -> UnreadableGauge:
    """Return the error for a page that is too large."""
    return UnreadableGauge(f"its page is over {limit} bytes (MAX_METRICS_BYTES)")


def _unpacked(body: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(_GZIP_WITH_HEADER)
    try:
        page = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise UnreadableGauge(f"its page is declared as gzip, but is not ({error})") from None
    if len(page) > limit:
        raise over_limit(limit)
    if not unpacker.eof:
        raise UnreadableGauge("its gzip page is truncated")
    return page
