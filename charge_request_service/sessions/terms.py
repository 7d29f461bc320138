"""The terms of a session in its request's headers: its key, and whether the caller waits."""

import re
from hashlib import sha256
from typing import NamedTuple

import orjson
from flask import Request

from charge_request_service.sessions.record import Kind
from grid_common.api.charge import Session
from grid_common.api.prefer import prefers_async
from grid_common.api.problems import BadRequest, FieldFault
from grid_common.http.shown import shown

_KEY = re.compile(r"[!-~]{1,255}", re.ASCII)
# A string as in RFC 9651, which the IETF's draft for this header uses.
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"', re.ASCII)
_ESCAPED = re.compile(r"\\(.)")


class Terms(NamedTuple):
    """The terms on which a caller asks the gateway for a session."""

    kind: Kind
    key: str | None  # its Idempotency-Key


PLAIN = Terms(Kind.PLAIN, None)


def read_terms(request: Request) -> Terms:
    """Read the terms from the headers of `POST /charge`.

    Raises:
        BadRequest: the key is invalid.
    """
    environ = request.environ
    given: str | None = environ.get("HTTP_IDEMPOTENCY_KEY")
    key = None if given is None else _key(given)
    if prefers_async(environ.get("HTTP_PREFER")):
        return Terms(Kind.ASYNC, key)
    return PLAIN if key is None else Terms(Kind.KEYED, key)


def digest(session: Session, vehicle_id: str | None) -> str:
    """Return a hash of a request's content, independent of its formatting.

    `vehicle_id` is the one that was sent; None if it was generated.
    """
    return sha256(orjson.dumps([vehicle_id, *session[2:]])).hexdigest()


def _key(given: str) -> str:
    text = given.strip()
    if quoted := _QUOTED.fullmatch(text):
        text = _ESCAPED.sub(r"\1", quoted[1])
    if not _KEY.fullmatch(text):
        fault = f"is {shown(given)}; it takes 1 to 255 visible ASCII characters, such as a UUID"
        raise BadRequest([FieldFault("Idempotency-Key", fault)])
    return text
