"""Rules as tested code: promtool accepts them, and every alert is seen silent and seen firing."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana import runbook
from tests.unit.deploy.units import seconds
from tests.unit.prometheus.rules import (
    CONFIG,
    ROOT,
    RULE_FILES,
    TEST_FILES,
    Rule,
    alerts,
    needs_promtool,
    promtool,
    recordings,
)

each_alert = pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
_SUBSTATION = re.compile(r'substation="(\w+)"')
# A series that a substation publishes under a name of the project's own; recorded ones have colons.
_PUBLISHED_BY_A_SUBSTATION = re.compile(r"(?<![\w:])substation_\w+(?![\w:])")

# Substations of another make have no journal that could fail.
_OF_WHAT_OURS_ALONE_HAVE = {"substation_journal_failing"}


@cache
def scenes() -> list[dict[str, Any]]:
    return [
        scene
        for file in TEST_FILES
        for scene in yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]
    ]


def cases_of(alert: str) -> list[dict[str, Any]]:
    """List the cases of an alert, those of one scene after the other and in order of time."""
    return [
        case
        for scene in scenes()
        for case in scene.get("alert_rule_test", [])
        if case["alertname"] == alert
    ]


def foreign(scene: dict[str, Any]) -> set[str]:
    """Name the substations of a scene of which no series carries a name of the project's own."""
    own: dict[str, bool] = {}
    for given in scene["input_series"]:
        if named := _SUBSTATION.search(given["series"]):
            is_own = given["series"].startswith("substation_")
            own[named[1]] = own.get(named[1], False) or is_own
    return {name for name, is_own in own.items() if not is_own}


@needs_promtool
def test_promtool_accepts_the_configuration_and_its_rules() -> None:
    promtool("check", "config", CONFIG)
    promtool("check", "rules", *RULE_FILES)


@needs_promtool
@pytest.mark.parametrize("file", TEST_FILES, ids=lambda file: file.stem)
def test_the_rules_do_what_their_tests_say(file: Path) -> None:
    promtool("test", "rules", file)


@each_alert
def test_every_alert_is_tested_silent_just_before_it_fires(alert: Rule) -> None:
    cases = cases_of(alert.name)
    firing = [case for case in cases if case["exp_alerts"]]
    assert firing, "no test in which it fires"
    for case in firing:
        before = cases[cases.index(case) - 1]
        assert before["exp_alerts"] == [], "no silent moment before it fires"
        assert seconds(case["eval_time"]) - seconds(before["eval_time"]) <= 2
        for fired in case["exp_alerts"]:
            assert set(fired["exp_annotations"]) == set(alert.body["annotations"])
            assert fired["exp_labels"]["severity"] == alert.body["labels"]["severity"]


@pytest.mark.parametrize("rule", [*alerts(), *recordings()], ids=lambda rule: rule.name)
def test_no_rule_needs_a_series_that_a_foreign_substation_may_lack(rule: Rule) -> None:
    needed = set(_PUBLISHED_BY_A_SUBSTATION.findall(rule.body["expr"]))
    assert needed - _OF_WHAT_OURS_ALONE_HAVE == set()


@each_alert
def test_every_alert_fires_in_a_scene_with_a_foreign_substation(alert: Rule) -> None:
    assert any(
        foreign(scene)
        for scene in scenes()
        for case in scene.get("alert_rule_test", [])
        if case["alertname"] == alert.name and case["exp_alerts"]
    )


@each_alert
def test_every_alert_says_what_it_means_and_where_its_runbook_is(alert: Rule) -> None:
    assert seconds(alert.body["for"]) > 0
    assert alert.body["labels"]["severity"] in {"warning", "critical"}
    assert set(alert.body["annotations"]) == {"summary", "description", "runbook_url"}
    page = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    (section,) = [text for text in page.split("\n## ") if text.startswith(f"{alert.name}\n")]
    for question in ("What it means", "How to look", "What to do"):
        assert f"**{question}.**" in section, f"docs/runbook.md: {alert.name} lacks {question!r}"
    url = "{{ $externalLabels.grafana_url }}" + runbook.section_url(runbook.numbers()[alert.name])
    assert alert.body["annotations"]["runbook_url"] == url


def test_runbook_links_are_absolute_by_one_setting() -> None:
    document = yaml.safe_load(CONFIG.read_text())
    assert document["global"]["external_labels"] == {"grafana_url": "http://localhost:3000"}
    # It is for the rules only: no alert carries it as a label.
    assert document["alerting"]["alert_relabel_configs"] == [
        {"regex": "grafana_url", "action": "labeldrop"}
    ]


def test_recorded_series_are_named_level_metric_operation() -> None:
    for rule in recordings():
        assert re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z0-9_]+", rule.name), rule.name
        level = rule.name.split(":")[0]
        if level != "grid":
            # The level is the label that is left, wherever the series comes from.
            assert f"by ({level})" in rule.body["expr"] or f"{level}:" in rule.body["expr"], rule


def test_names_are_given_once() -> None:
    names = [rule.name for rule in (*alerts(), *recordings())]
    assert len(names) == len(set(names))


def test_the_configuration_names_the_hosts_that_the_grid_without_docker_replaces() -> None:
    text = CONFIG.read_text()
    for host in ("charge_request_service:8080", "load_balancer:5001"):
        assert host in text
    document = yaml.safe_load(text)
    assert document["global"]["scrape_interval"] == "2s"
    assert all(not Path(pattern).is_absolute() for pattern in document["rule_files"])
    jobs = {job["job_name"]: job for job in document["scrape_configs"]}
    assert set(jobs) == {"charge_request_service", "load_balancer", "substation", "prometheus"}
    (discovery,) = jobs["substation"]["http_sd_configs"]
    assert discovery["url"] == "http://load_balancer:5001/targets"
