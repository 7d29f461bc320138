"""Each service against its own OpenAPI description: generated requests, good and bad."""

import re
import time
from collections.abc import MutableMapping

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from charge_request_service.openapi import description
from load_balancer.openapi import description as balancer_description
from local_stack.grid import Grid
from substation_service.app import description as substation_description
from tests.conftest import StartGrid
from tests.support.examples import examples

DESCRIPTIONS = {
    "gateway": description(1000),
    "balancer": balancer_description(1000),
    "substation": substation_description(1000),
}
OPERATIONS = {
    (service, result.ok().label): result.ok()
    for service, document in DESCRIPTIONS.items()
    for result in schemathesis.openapi.from_dict(document).get_all_operations()
    if isinstance(result, Ok)
}
_CLOCK = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
# A request without a body or parameters cannot be made wrong.
CASES = [
    (service, label, mode)
    for (service, label), operation in OPERATIONS.items()
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or operation.body or operation.query or operation.headers
]


@pytest.fixture(scope="module")
def grid(start_shared_grid: StartGrid) -> Grid:
    # A thousand kWh in a tenth of a millisecond: the contract is at stake here, not the wait.
    return start_shared_grid(env={"TIME_SCALE": "1e9"})


def url(grid: Grid, service: str) -> str:
    return {"balancer": grid.balancer, "substation": grid.substations[0]}.get(
        service, grid.gateway
    ).url


@pytest.mark.parametrize("service", DESCRIPTIONS)
def test_each_service_serves_its_description(grid: Grid, service: str) -> None:
    answer = requests.get(f"{url(grid, service)}/openapi.json", timeout=5)

    assert answer.json() == DESCRIPTIONS[service]


@pytest.mark.parametrize(("service", "label", "mode"), CASES)
def test_every_answer_is_one_that_the_description_promises(
    grid: Grid, service: str, label: str, mode: GenerationMode
) -> None:
    operation = OPERATIONS[service, label]

    @given(data=st.data())
    @examples(25 if operation.body else 8, unchecked=HealthCheck)
    def call(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        headers: MutableMapping[str, str] = case.headers or {}
        if _CLOCK.fullmatch(str(headers.get("Session-Sent", ""))):
            # A clock goes on, which no schema can say: what was sent before another came late.
            headers["Session-Sent"] = f"{time.monotonic():.3f}"
        case.call_and_validate(
            base_url=url(grid, service),
            checks=[
                not_a_server_error,
                status_code_conformance,
                content_type_conformance,
                response_schema_conformance,
            ],
            timeout=20,
        )

    try:
        call()
    finally:  # a limit of 0 would hold the vehicles of the tests that follow
        limit = {"power_limit_kw": 1e9}
        requests.put(f"{grid.substations[0].url}/power-limit", json=limit, timeout=5)
