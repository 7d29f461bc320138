"""One name for one thing: retired words, and the glossary of those in use."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from local_stack.process import ROOT

_SUFFIXES = {".cfg", ".conf", ".html", ".js", ".md", ".py", ".toml", ".yaml", ".yml"}
_LEFT_OUT = {"build", "node_modules", "results", "results_unlike_substations"}


class Retired(NamedTuple):
    """A word, as a pattern, and what to use in its place."""

    pattern: str
    instead: str


RETIRED = [
    Retired(r"(?i)(?<![a-z])sites?(?![a-z])", "substation"),
    Retired(r"Site(?=[A-Z]|s?\b)", "Substation"),
    Retired(r"(?i)\bwish(es)?\b", "request"),
    Retired(r"(?i)\btickets?\b", "queued session, pending write"),
    Retired(r"(?i)\brides?\b", "session"),
    Retired(r"(?i)\bvisits?\b", "attempt"),
    Retired(r"(?i)\bwaiting[ _]?line\b|\bLineFull\b", "wait queue, QueueFull"),
    Retired(r"\bTakenBack\b|(?i:\btaken_back\b)", "revoked, AttemptRevoked"),
    Retired(r"(?i)\bin_hand\b|\bin hand\b", "in flight"),
    Retired(r"(?i)\bh[au]ng(s|ing)?[ _-]ups?\b", "disconnect, disconnected"),
    Retired(r"\bCallerGone\b|\bInterrupt\(", "ClientDisconnected, CancelScope"),
    Retired(r"\bGarbled\b|\bSilence\.", "ProtocolError, FailureKind"),
    Retired(r"\bwhy_not\b", "ineligible_reason"),
    Retired(r"\bPatience\(", "HealthCheck"),
    Retired(r"(?<![\w])doors/|\.doors\b", "auth"),
    Retired(r"\bMood\b|\bSheet\b", "Severity, ReportTable"),
    Retired(r"(?i)\bside_by_side\b", "comparison"),
    Retired(r"(?i)\brivals?\b", "contender"),
    Retired(r"(?i)\byardsticks?\b", "baseline"),
    Retired(r"(?i)\bstrangers?\b", "bypass vehicle, foreign load"),
    Retired(r"(?i)\bbystanders?\b", "CPU contention"),
    Retired(r"(?i)\bbefalls?\b", "inject, happen to"),
    Retired(r"(?i)\brelays?\b", "fault proxy"),
    Retired(r"\b_*(MOST|LONGEST)_(?=[A-Z])", "MAX_..."),
    Retired(r"\bLedgerAway\b|\bwhy_away\b|\bledger away\b", "LedgerUnavailable, unavailable"),
    Retired(r"(?i)\badopt(s|ed|ion)?\b", "take over"),
    Retired(r"(?i)\bkeep_house\b|housekeeping", "clean up"),
    Retired(r"(?i)\bled[ _-]elsewhere\b", "moved, session_moved"),
    Retired(r"\bis_other_well\b", "is_other_healthy"),
    Retired(r"\b_MISUSED\b|\b_UNWRITTEN\b|\bUnwritten\b", "_USAGE_ERROR, _OUTPUT_ERROR"),
    Retired(r"(?i)\bhand(ed|ing|s)?[ _]in\b", "submit"),
    Retired(r"(?i)left[ _]?in[ _]?line", "deferred"),
    Retired(r"\bWalk\(|(?i:\b_?(most|max)_walked\b)", "scan"),
    Retired(r"(?i)\bailing\b", "needs a poll"),
    Retired(r"\btakes_none\b", "unusable_reason"),
    Retired(r"(?i)(?<![a-z])thrift", "penalty for unused power"),
    Retired(r"(?i)\bsigns? of life\b", "heartbeat"),
]


class Allowed(NamedTuple):
    """Where a retired word stays: a path, what stands there, and why."""

    path: str
    text: str
    reason: str


ALLOWED = [
    Allowed(r"", r"(?i)cross[-_]?site|same-site|sec-fetch-site|site-packages", "others' words"),
    Allowed(r"", r"(?i)(another|other)[ _]sites?'?s?[ _](pages?|can)", "a site of the web"),
    Allowed(r"", r"(?i)pages?[ _]of[ _](an)?other[ _]sites?", "a site of the web"),
    Allowed(r"", r"(?i)(those|requests) (of|from) other sites", "a site of the web"),
    Allowed(r"same_origin\.py$", r"(?i)sites?|visit", "sites of the web, and who visits them"),
    Allowed(r"", r"--site-metrics", "the old name of an option"),
    Allowed(r"load_tester|test_load_tester", r'"sites"', "a member of the tester's JSON"),
    Allowed(r"docs/load-testing\.md$", r"`sites`", "a member of the tester's JSON"),
    Allowed(r"", r"ev-grid-site", "a dashboard's address, which people have bookmarked"),
    Allowed(
        r"rush_hour|api\.(js|md)$|openapi\.py$", r"\bhung_up\b", "a member of the rush hour's JSON"
    ),
    Allowed(r"\.(py|md|json)$", r"taken_back(?=\W)", "a metric's label"),
    Allowed(r"", r"(`|:|\")led-elsewhere(`|\")", "a problem type"),
    Allowed(r"", r"LONGEST_PROBE_PAUSE", "the old name of a setting"),
    Allowed(
        r"",
        r"\bLeftInLine\b|\bleft_in_line(_for)?(?=[\"`:; }=]|$)|(?<=grid\.)left_in_line",
        "members of the API",
    ),
    Allowed(r"", r"balancer_left_in_line_sessions", "a metric"),
    Allowed(r"", r'(?<=["`])left in line(?=["`])', "a log event"),
    Allowed(r"^benchmarks/.*scenes\.py$", r'"[a-z ]*sites?[a-z ]*"', "seeds of draws"),
    Allowed(r"^benchmarks/simulation/world\.py$", r'"strangers"', "a seed of draws"),
    Allowed(r"", r"--rivals", "the old name of an option"),
    Allowed(r"^tests/mutants/", r"\bvisit\b", "libcst's word"),
    Allowed(r"^CHANGELOG\.md$|^tests/unit/test_vocabulary\.py$", r".+", "quotes them"),
]


def texts() -> Iterator[tuple[str, int, str]]:
    """Yield each line of code and docs: (path, number, line)."""
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT)
        parts = inside.parts
        if any(part in _LEFT_OUT or part.startswith(".") for part in parts):
            continue
        if not path.is_file() or not (path.suffix in _SUFFIXES or path.name == "Makefile"):
            continue
        name = inside.as_posix()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            yield name, number, line


def retired_in(name: str, line: str) -> Iterator[tuple[str, Retired]]:
    """Yield the retired words of a line, without those that are allowed there."""
    for one in ALLOWED:
        if re.search(one.path, name):
            line = re.sub(one.text, "", line)
    # Words in names, such as `start_site`, count too.
    for word in RETIRED:
        for match in re.finditer(word.pattern, line):
            yield match[0], word


def test_no_retired_word_is_used() -> None:
    found = [
        f"{name}:{number}: {text!r}; say: {word.instead}"
        for name, number, line in texts()
        for text, word in retired_in(name, line)
    ]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    "line",
    ["the site is full", "a_full_site()", "class SiteSpec:", "SITES = 3", "it hung up on us"],
)
def test_a_retired_word_is_seen(line: str) -> None:
    assert list(retired_in("load_balancer/app.py", line))


@pytest.mark.parametrize("line", ["opposite", "a cross-site request", "it visited", "a websites"])
def test_other_words_are_not_taken_for_retired_ones(line: str) -> None:
    assert not list(retired_in("load_balancer/app.py", line))


def glossary() -> list[str]:
    """Return the words that the glossary explains."""
    page = (Path(ROOT) / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("## Glossary\n")[2].partition("\n## ")[0]
    rows = [line.split(" | ")[0].strip("| ") for line in table.splitlines() if line[:2] == "| "]
    return rows[2:]


def test_the_glossary_explains_the_words_that_took_their_place() -> None:
    words = " ".join(glossary())
    assert len(glossary()) >= 25
    for one in ("substation", "session", "wait queue", "attempt", "leg", "in flight"):
        assert one in words


def test_the_glossary_has_no_retired_word() -> None:
    assert not [word for word in glossary() if list(retired_in("docs/architecture.md", word))]
