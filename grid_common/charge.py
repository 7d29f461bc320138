"""The body of `POST /charge`: what a vehicle asks for, checked the same way on every hop."""

import re
import secrets
from typing import Annotated, Any, NamedTuple, Self

import orjson
from flask import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, from_json

from grid_common.fields import refuse_query, unknown_field
from grid_common.problems import (
    MOST_FAULTS,
    BadRequest,
    BodyTooLarge,
    Fault,
    NotJson,
    shown,
)

DEFAULT_KWH = 10.0
_ID = r"^[A-Za-z0-9._:-]{1,64}$"
_ID_HELP = "1 to 64 characters of A-Z a-z 0-9 . _ : -"
_WHOLE_BODY = "body"
_JSON = "application/json"
_EXAMPLE_ID = "EV-31"

Identifier = Annotated[str, Field(pattern=_ID, max_length=64, min_length=1)]


class ChargeRequest(BaseModel):
    """One vehicle's wish as the gateway takes it.

    A field that is left out gets its default; one that is unknown is a fault.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    vehicle_id: Identifier | None = Field(
        None, description=f"Names the vehicle: {_ID_HELP}. Left out, one is made up."
    )
    kwh: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        DEFAULT_KWH, description="Energy wanted, kWh: over 0 and at most MAX_KWH (default 1000)."
    )

    @classmethod
    def from_request(cls, request: Request, *, max_kwh: float) -> Self:
        """Read a request's body; none at all means every default.

        Raises:
            BadRequest: not JSON, not an object, a field is wrong, or parameters are in the query;
                each is named.
            BodyTooLarge: over the app's MAX_CONTENT_LENGTH.
            NotJson: a body of another content type.
        """
        refuse_query(request, cls.model_fields)
        body = read_body(request)
        if not body:
            return cls()
        # Flask takes the header apart before it compares.
        if request.environ.get("CONTENT_TYPE") != _JSON and not request.is_json:
            raise NotJson(
                f"content type {shown(request.mimetype)}: send the body as JSON with the "
                "header 'Content-Type: application/json', or send no body."
            )
        return cls.from_document(parse_body(body), max_kwh=max_kwh)

    @classmethod
    def from_document(cls, document: Any, *, max_kwh: float) -> Self:
        """Check a parsed body.

        Raises:
            BadRequest: not an object, or a field is wrong; each is named.
        """
        try:
            wish = cls.model_validate(document)
        except ValidationError as error:
            faults = error.errors()[:MOST_FAULTS]
            raise BadRequest([cls._fault(item, max_kwh) for item in faults]) from None
        if wish.kwh > max_kwh:
            raise BadRequest([Fault("kwh", _kwh_help(wish.kwh, max_kwh))])
        return wish

    @classmethod
    def _fault(cls, error: ErrorDetails, max_kwh: float) -> Fault:
        value = error["input"]
        if not error["loc"]:
            return Fault(_WHOLE_BODY, f'is {shown(value)}; send a JSON object such as {{"kwh": 6}}')
        field = str(error["loc"][0])
        if error["type"] == "extra_forbidden":
            return unknown_field(field, cls.model_fields)
        return Fault(field, _kwh_help(value, max_kwh) if field == "kwh" else _id_help(value))

    def start_session(self, session_id: str | None = None) -> "Session":
        """Give the wish its session, with a name made up where there is none."""
        name = session_id or secrets.token_hex(8)
        return Session(name, self.vehicle_id or f"EV-{name[:8]}", self.kwh)


class SessionRequest(ChargeRequest):
    """The wish as it goes from gateway to balancer to substation: its session has a name."""

    session_id: Identifier | None = Field(
        None, description="Names the session; the gateway sets it, left out one is made up."
    )

    def session(self) -> "Session":
        """Return the session that is asked for."""
        return self.start_session(self.session_id)


class Session(NamedTuple):
    """One vehicle's charge, with every name filled in."""

    session_id: str
    vehicle_id: str
    kwh: float

    def body(self) -> bytes:
        """Write it as the JSON body for the next hop."""
        return orjson.dumps(self._asdict())


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


def parse_body(body: bytes) -> Any:
    """Parse a body as JSON; the parser bounds depth and the length of numbers by itself.

    Raises:
        BadRequest: it is no JSON.
    """
    try:
        return from_json(body)
    except ValueError as error:
        raise BadRequest(
            [Fault(_WHOLE_BODY, f"is not JSON ({error}); send a JSON object")]
        ) from None


def _id_help(value: object) -> str:
    if isinstance(value, str):
        return f"is {shown(value)}; it takes {_ID_HELP}"
    text = str(value) if isinstance(value, int | float) else ""
    example = text if re.fullmatch(_ID, text) and not isinstance(value, bool) else _EXAMPLE_ID
    return f'is {shown(value)}; it takes a string, such as "{example}": {_ID_HELP}'


def _kwh_help(value: object, max_kwh: float) -> str:
    takes = f"a number over 0 and at most {max_kwh:g} (kWh)"
    if isinstance(value, str):
        takes += ", without quotes"
    return f"is {shown(value)}; it takes {takes}"
