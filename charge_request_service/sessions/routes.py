"""The gateway's session routes: states, stops, charge detail records and totals."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import urlencode

import orjson
from flask import Blueprint, Response, g, request

from charge_request_service.balancers.queries import BalancerQueries
from charge_request_service.sessions.documents import cdr_of, csv_of, session_document
from charge_request_service.sessions.errors import LedgerUnavailable
from charge_request_service.sessions.ledger import Ledger
from charge_request_service.sessions.listing import Page
from charge_request_service.sessions.problems import NoSuchSession, ledger_unavailable
from charge_request_service.sessions.query import read_query
from charge_request_service.sessions.record import FINAL, Record
from charge_request_service.sessions.sessions import Sessions
from charge_request_service.sessions.totals import Totals
from grid_common.api.problems import Unavailable
from grid_common.service import BytesResponse, json_response

_Result = TypeVar("_Result")

MAX_RECORDS = 1000


def session_routes(sessions: Sessions, ledger: Ledger, queries: BalancerQueries) -> Blueprint:
    """Create the routes; `queries` adds the live state of sessions that have not ended."""
    routes = Blueprint("sessions", __name__)
    totals = Totals(ledger)

    @routes.get("/sessions/<session_id>")
    def one(session_id: str) -> Response:
        return json_response(_shown(_own(ledger, session_id), queries))

    @routes.delete("/sessions/<session_id>")
    def stop(session_id: str) -> Response:
        record = _own(ledger, session_id)
        if not record.ended:
            sessions.stop(record, request_id=g.request_id)
            record = _own(ledger, session_id)
        return json_response(_shown(record, queries))

    @routes.get("/sessions")
    def some() -> Response:
        query = read_query(request.args, owner=_owner())
        page = _ask(lambda: ledger.page(query))
        documents = _documents(page.records, queries)
        if query.state is not None and query.state not in FINAL:
            documents = [one for one in documents if one["state"] == query.state]
        return json_response({"sessions": documents, "next": page.next})

    @routes.get("/totals")
    def today() -> Response:
        return json_response(_ask(lambda: totals.document(_owner())))

    @routes.get("/sessions.csv")
    def csv() -> Response:
        content_type = "text/csv; charset=utf-8; header=present"
        return _records(ledger, content_type, lambda page: csv_of(page.records).encode())

    @routes.get("/sessions.json")
    def json() -> Response:
        return _records(ledger, "application/json", _json_page)

    return routes


def _records(ledger: Ledger, content_type: str, format_page: Callable[[Page], bytes]) -> Response:
    query = read_query(request.args, owner=_owner(), most=MAX_RECORDS, records=True)
    body, after = _ask(lambda: ledger.formatted(query, format_page))
    response = BytesResponse(body, 200, content_type)
    if after is not None:
        further = urlencode({**request.args, "cursor": after})
        response.headers["Link"] = f'<{request.path}?{further}>; rel="next"'
    return response


def _json_page(page: Page) -> bytes:
    return orjson.dumps({"cdrs": [cdr_of(one) for one in page.records], "next": page.next})


def _owner() -> str | None:
    """Return the only owner whose sessions the caller may see, or None for all."""
    return None if g.operator else g.caller.get("caller", "")


def _own(ledger: Ledger, session_id: str) -> Record:
    record, owner = _ask(lambda: ledger.get(session_id)), _owner()
    if record is None or owner not in (None, record.begin.owner):
        raise NoSuchSession(session_id)
    return record


def _shown(record: Record, queries: BalancerQueries) -> dict[str, Any]:
    live = None
    if not record.ended:
        with suppress(Unavailable):  # then the ledger alone has to do
            live = queries.session(record.session_id, request_id=g.request_id)
    return session_document(record, live)


def _documents(records: list[Record], queries: BalancerQueries) -> list[dict[str, Any]]:
    known: dict[str, dict[str, Any]] = {}
    if running := [one.session_id for one in records if not one.ended]:
        with suppress(Unavailable):
            found = queries.sessions(running, request_id=g.request_id)
            known = {one["session_id"]: one for one in found}
    return [session_document(one, known.get(one.session_id)) for one in records]


def _ask(work: Callable[[], _Result]) -> _Result:
    try:
        return work()
    except LedgerUnavailable as error:
        raise ledger_unavailable(str(error), so="running charges continue") from None
