"""docs/api.md explains every problem type that a service declares."""

import re

from grid_common.api import problem_type
from load_balancer.routing.wait import Refusal
from local_stack.process import ROOT

_PACKAGES = ("charge_request_service", "grid_common", "load_balancer", "substation_service")
# A whole URN, or the reason of a 503 where it is raised.
_DECLARED = re.compile(
    r"""\burn:ev-grid:problem:([a-z-]+)|\b(?:Unavailable|unavailable_type)\(\s*"([a-z-]+)\""""
)


def declared() -> set[str]:
    files = [file for package in _PACKAGES for file in (ROOT / package).rglob("*.py")]
    found = {
        urn or reason
        for file in files
        for urn, reason in _DECLARED.findall(file.read_text(encoding="utf-8"))
    }
    constants = {value for name, value in vars(problem_type).items() if name.isupper()}
    shared = constants - {problem_type.CONTENT_TYPE}
    return found | shared | {refusal.value.replace("_", "-") for refusal in Refusal}


def test_the_api_page_explains_every_problem_type() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")

    assert {"bad-request", "full"} <= declared()
    assert {name for name in declared() if f"`{name}`" not in page} == set()
