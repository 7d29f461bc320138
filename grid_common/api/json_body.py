"""JSON bodies of requests."""

from typing import TYPE_CHECKING, Any

from flask import Request
from pydantic_core import from_json

from grid_common.api.problems import BadRequest, BodyTooLarge, FieldFault, NotJson

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

WHOLE_BODY = "body"  # names the body in a fault that concerns no single field
_JSON = "application/json"
# To refuse thousands of fields one by one takes milliseconds.
_MAX_FIELDS = 100


def media_type(environ: "WSGIEnvironment") -> str:
    """Return the content type without parameters, which Flask takes milliseconds to parse."""
    given: str = environ.get("CONTENT_TYPE", "")
    return given.partition(";")[0].strip().lower()


def is_json(environ: "WSGIEnvironment") -> bool:
    """Return whether the body is declared as JSON."""
    if environ.get("CONTENT_TYPE") == _JSON:  # the usual case
        return True
    kind = media_type(environ)
    return kind == _JSON or (kind.startswith("application/") and kind.endswith("+json"))


def read_body(request: Request) -> bytes:
    """Read the whole body.

    Raises:
        BodyTooLarge: it exceeds, or declares to exceed, the app's MAX_CONTENT_LENGTH.
    """
    # The server has already read the whole body, so its length can be trusted.
    limit, environ = request.max_content_length, request.environ
    if limit is not None and int(environ.get("CONTENT_LENGTH") or 0) > limit:
        raise BodyTooLarge(f"The body is over {limit} bytes; a charge needs far less.")
    body: bytes = environ["wsgi.input"].read()
    return body


def read_document(request: Request) -> Any:
    """Read and parse a body that is required and must be declared as JSON.

    Raises:
        BadRequest: it is not JSON.
        BodyTooLarge: it exceeds, or declares to exceed, the app's MAX_CONTENT_LENGTH.
        NotJson: it has another content type.
    """
    body = read_body(request)
    if not is_json(request.environ):
        raise NotJson("Send the body as JSON with the header 'Content-Type: application/json'.")
    return parse_body(body)


def parse_body(body: bytes) -> Any:
    """Parse a body as JSON; the parser limits depth and the length of numbers.

    Raises:
        BadRequest: it is not JSON, or an object with far more fields than any valid body.
    """
    try:
        document = from_json(body)
    except ValueError as error:
        raise BadRequest(
            [FieldFault(WHOLE_BODY, f"is not JSON ({error}); send a JSON object")]
        ) from None
    if isinstance(document, dict) and len(document) > _MAX_FIELDS:
        fault = FieldFault(
            WHOLE_BODY, f"has {len(document)} fields; send only those that are described"
        )
        raise BadRequest([fault])
    return document
