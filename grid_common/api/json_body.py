"""Bodies of requests, as JSON."""

from typing import TYPE_CHECKING, Any

from flask import Request
from pydantic_core import from_json

from grid_common.api.problems import BadRequest, BodyTooLarge, FieldFault, NotJson

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

WHOLE_BODY = "body"  # in a fault that is of no field
_JSON = "application/json"
# An object of thousands takes milliseconds to refuse field by field.
_MAX_FIELDS = 100


def media_type(environ: "WSGIEnvironment") -> str:
    """Return the content type without its parameters, which Flask would take apart, in ms."""
    given: str = environ.get("CONTENT_TYPE", "")
    return given.partition(";")[0].strip().lower()


def is_json(environ: "WSGIEnvironment") -> bool:
    """Tell whether the body is declared as JSON."""
    if environ.get("CONTENT_TYPE") == _JSON:  # as a rule
        return True
    kind = media_type(environ)
    return kind == _JSON or (kind.startswith("application/") and kind.endswith("+json"))


def read_body(request: Request) -> bytes:
    """Read the whole body.

    Raises:
        BodyTooLarge: it is, or claims to be, over the app's MAX_CONTENT_LENGTH.
    """
    # The server has read it whole and tells its true length: there is no more to guard against.
    limit, environ = request.max_content_length, request.environ
    if limit is not None and int(environ.get("CONTENT_LENGTH") or 0) > limit:
        raise BodyTooLarge(f"The body is over {limit} bytes; a charge needs far less.")
    body: bytes = environ["wsgi.input"].read()
    return body


def read_document(request: Request) -> Any:
    """Read a body that has to be there and declared as JSON.

    Raises:
        BadRequest: it is no JSON.
        BodyTooLarge: it is, or claims to be, over the app's MAX_CONTENT_LENGTH.
        NotJson: it is of another content type.
    """
    body = read_body(request)
    if not is_json(request.environ):
        raise NotJson("Send the body as JSON with the header 'Content-Type: application/json'.")
    return parse_body(body)


def parse_body(body: bytes) -> Any:
    """Parse a body as JSON; the parser bounds depth and the length of numbers by itself.

    Raises:
        BadRequest: it is no JSON, or an object of far more fields than any body has.
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
