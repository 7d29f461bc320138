"""A substation's answer to `GET /metrics`, turned into text. Pure."""

import zlib

from grid_common.http.response import UpstreamResponse
from grid_common.shown import shown
from load_balancer.gauge import UnreadableGauge, beginning
from load_balancer.routing.outcome import describe

# Without an Accept-Encoding a substation may compress (RFC 9110, section 12.5.3).
_GZIP = frozenset({"gzip", "x-gzip"})
_GZIP_WITH_HEADER = 31  # zlib's number for it


def page_text(answer: UpstreamResponse, limit: int) -> str:
    """Return the page.

    Args:
        answer: what came back.
        limit: most bytes that the page may have once unpacked.

    Raises:
        UnreadableGauge: it is no page, or too large a one.
    """
    body, coding = answer.body, answer.content_encoding.strip().lower()
    if coding in _GZIP:
        body = _unpacked(body, limit)
    elif coding not in ("", "identity"):
        raise UnreadableGauge(f"its page is encoded as {shown(coding)}; send text, or gzip")
    text = body.decode("utf-8", "replace")
    if answer.status != 200:
        what = describe(answer.status, answer.location)
        raise UnreadableGauge(f"its page {what}; {beginning(text)}")
    return text


def over_limit(limit: int) -> UnreadableGauge:
    """Say that the page is too large."""
    return UnreadableGauge(f"its page is over {limit} bytes (MAX_METRICS_BYTES)")


def _unpacked(body: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(_GZIP_WITH_HEADER)
    try:
        page = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise UnreadableGauge(f"its page says that it is gzip, and is not ({error})") from None
    if len(page) > limit:
        raise over_limit(limit)
    if not unpacker.eof:
        raise UnreadableGauge("its page is gzip that ends too early")
    return page
