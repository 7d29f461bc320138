"""The tests of the alerts' rules see a rule that comes two seconds too soon or too late."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.deploy.units import seconds
from tests.unit.prometheus.rules import CONFIG, alerts, needs_promtool, promtool


def fires(scene: dict[str, Any]) -> bool:
    return any(case["exp_alerts"] for case in scene.get("alert_rule_test", []))


@needs_promtool
@pytest.mark.parametrize("shift_s", [-2, 2], ids=["two seconds sooner", "two seconds later"])
def test_the_rules_tests_notice_every_alert_that_comes(shift_s: int, tmp_path: Path) -> None:
    shutil.copytree(CONFIG.parent, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "rules" / "alerts.yml"
    document = yaml.safe_load(file.read_text())
    for group in document["groups"]:
        for rule in group["rules"]:
            rule["for"] = f"{seconds(rule['for']) + shift_s:g}s"
    file.write_text(yaml.safe_dump(document))
    for tests in sorted((tmp_path / "tests").glob("*.yml")):
        document = yaml.safe_load(tests.read_text())
        # A scene that is silent throughout tells nothing here, and those are the long ones.
        document["tests"] = [scene for scene in document["tests"] if fires(scene)]
        tests.write_text(yaml.safe_dump(document))
    with pytest.raises(AssertionError) as noticed:
        promtool("test", "rules", *sorted((tmp_path / "tests").glob("*.yml")))
    assert set(re.findall(r"alertname: (\w+), time", str(noticed.value))) == {
        alert.name for alert in alerts()
    }
