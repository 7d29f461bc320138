"""The monitor's queries to the grid during a run."""

from typing import Any

import pytest

from load_tester import monitor as under_test
from load_tester.monitor import Monitor
from load_tester.pages import PageMissing
from load_tester.reconciliation.decisions import DecisionRecords
from load_tester.reconciliation.ledger import LedgerRecords
from tests.unit.load_tester.builders import BEGAN, TAG, decision

SUBSTATION_PAGE = 'substation_sessions_total{outcome="charged"} 1\n'


class Pages:
    """Answers every page, and notes what was asked for."""

    asked: list[str]
    decisions: list[dict[str, Any]]
    sessions: list[list[dict[str, Any]]]  # as they are at each reading

    def __init__(self, *_: object) -> None: ...

    def text(self, url: str) -> str:
        self.asked.append(url)
        return SUBSTATION_PAGE

    def document(self, url: str) -> dict[str, Any]:
        self.asked.append(url)
        if url.endswith("/balancers"):
            raise PageMissing("is not there", 404)
        if "/sessions" in url:
            rows = self.sessions.pop(0) if len(self.sessions) > 1 else self.sessions[0]
            return {"sessions": rows, "next": None}
        since = int(url.rpartition("=")[2])
        return {"last": len(self.decisions), "decisions": self.decisions[since:]}


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> type[Pages]:
    Pages.asked, Pages.decisions = [], []
    monkeypatch.setattr(under_test, "Pages", Pages)
    return Pages


def made(*substation_metrics: str, records: DecisionRecords | None = None) -> Monitor:
    return Monitor("http://gateway", lambda: 0.0, records, LedgerRecords(TAG), substation_metrics)


def test_each_named_substation_page_is_read_also_without_a_path(pages: type[Pages]) -> None:
    counters = made("http://a:5002", "http://b:5003", "http://c:5004/metrics").read_counters()
    assert list(counters.substations) == ["http://a:5002", "http://b:5003", "http://c:5004/metrics"]
    assert {"http://a:5002", "http://b:5003", "http://c:5004/metrics"} < {*pages.asked}


def test_a_named_page_of_a_substation_that_the_balancer_knows_goes_by_its_address(
    pages: type[Pages],
) -> None:
    watch = made("http://a:5002/metrics")
    watch.samples.addresses["substation1"] = "http://a:5002/"
    assert list(watch.read_counters().substations) == ["http://a:5002/"]
    assert "http://a:5002/metrics" in pages.asked


def test_a_balancer_that_restarted_and_decided_more_than_before_is_noticed(
    pages: type[Pages],
) -> None:
    watch = made(records=DecisionRecords(TAG, BEGAN))
    pages.decisions = [decision(n, "a", {"a": (0, 9)}) for n in (1, 2)]
    watch.finish()
    pages.decisions = [decision(n, "a", {"a": (0, 9)}, session_id=f"new-{n}") for n in (1, 2, 3)]
    watch.finish()
    assert watch.records is not None
    assert (watch.records.restarts, watch.records.total) == (1, 5)
    assert not watch.records.complete


def test_a_session_that_is_written_just_after_its_response_is_waited_for(
    pages: type[Pages],
) -> None:
    row = {
        "session_id": "1",
        "vehicle_id": f"{TAG}1",
        "state": "charged",
        "began": "2027-01-15T08Z",
    }
    watch = made()
    pages.sessions = [[], [], [row]]
    watch.begin()
    watch.settle(lambda _: True, {"1"})
    assert [entry.session_id for entry in watch.ledger.entries] == ["1"]
