"""What a caller says of its session beside the body: its key, and whether it waits."""

import re
from hashlib import sha256
from typing import NamedTuple

import orjson
from flask import Request

from charge_request_service.sessions.record import Kind
from grid_common.api.charge import Session
from grid_common.api.prefer import prefers_async
from grid_common.api.problems import BadRequest, FieldFault, shown

_KEY = re.compile(r"[!-~]{1,255}", re.ASCII)
# A string of RFC 9651, which is what the draft of the IETF has.
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"', re.ASCII)
_ESCAPED = re.compile(r"\\(.)")


class Terms(NamedTuple):
    """What a caller says.

    Attributes:
        kind: what becomes of its session when it is gone.
        key: its Idempotency-Key.
    """

    kind: Kind
    key: str | None


PLAIN = Terms(Kind.PLAIN, None)


def read_terms(request: Request) -> Terms:
    """Read what the caller of `POST /charge` says.

    Raises:
        BadRequest: its key is none.
    """
    environ = request.environ
    given: str | None = environ.get("HTTP_IDEMPOTENCY_KEY")
    key = None if given is None else _key(given)
    if prefers_async(environ.get("HTTP_PREFER")):
        return Terms(Kind.ASYNC, key)
    return PLAIN if key is None else Terms(Kind.KEYED, key)


def digest(session: Session, vehicle_id: str | None) -> str:
    """Return what tells one payload from another, whatever way it was written.

    Args:
        session: what was asked for.
        vehicle_id: as it was told, None where it was made up.
    """
    return sha256(orjson.dumps([vehicle_id, *session[2:]])).hexdigest()


def _key(given: str) -> str:
    text = given.strip()
    if quoted := _QUOTED.fullmatch(text):
        text = _ESCAPED.sub(r"\1", quoted[1])
    if not _KEY.fullmatch(text):
        fault = f"is {shown(given)}; it takes 1 to 255 visible characters of ASCII, such as a UUID"
        raise BadRequest([FieldFault("Idempotency-Key", fault)])
    return text
