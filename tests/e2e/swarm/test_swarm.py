"""The grid on a Swarm: it charges while it grows, is replaced, loses tasks and shrinks."""

import pytest

from tests.e2e.swarm.swarm import OWN, Swarm, Vehicles
from tests.support.deadline import eventually

VEHICLES = 300
RATE = 15.0
_FOUND_WITHIN_S = 10
# A vehicle in flight was broken off, for one of these reasons of the balancer's.
_CUT = ("reset", "garbled", "error", "lost", "stopped")


def cut(swarm: Swarm) -> dict[str, float]:
    """Count the sessions that the balancers saw break off at a substation, by the reason."""
    pages = swarm.counters("load_balancer", 5001)
    names = {reason: f'balancer_failovers_total{{reason="{reason}"}}' for reason in _CUT}
    return {reason: sum(page[name] for page in pages) for reason, name in names.items()}


def test_every_container_is_held_as_the_file_says(swarm: Swarm) -> None:
    for service in (*OWN, "ledger", "prometheus"):
        for container in swarm.containers(service):
            name, host = container["Name"], container["HostConfig"]
            assert container["State"]["Health"]["Status"] == "healthy", name
            assert container["Config"]["User"].partition(":")[0] not in ("", "0", "root"), name
            assert host["ReadonlyRootfs"], name
            assert host["CapDrop"] == ["ALL"], name
            assert not host["CapAdd"], name
            assert not host["Privileged"], name
            assert 0 < host["Memory"] <= 1 << 30, name
            assert 0 < host["NanoCpus"] <= 1_000_000_000, name
            assert 0 < host["PidsLimit"] <= 256, name
            for mount in container["Mounts"]:
                assert mount["Type"] in ("tmpfs", "volume") or not mount["RW"], (name, mount)


def test_no_process_of_a_service_may_gain_a_right(swarm: Swarm) -> None:
    for service in OWN:
        facts = swarm.facts_of_process(service)
        assert facts["NoNewPrivs"] == "1", service
        assert facts["CapBnd"] == "0000000000000000", service
        assert facts["Seccomp"] == "2", service


def test_the_gateway_alone_is_published_and_asks_for_a_key(swarm: Swarm) -> None:
    published = {
        service
        for service in (*OWN, "ledger", "prometheus")
        for one in swarm.containers(service)
        if any(one["NetworkSettings"]["Ports"].values())
    }
    assert published == {"charge_request_service"}
    assert swarm.charge(key="").status_code == 401
    assert swarm.charge(key=swarm.key).status_code == 200


def test_no_secret_is_in_an_environment_or_a_log(swarm: Swarm) -> None:
    (password,) = swarm.exec("ledger", "cat", "/run/secrets/ledger_password").split()
    reported = str([swarm.containers(name) for name in (*OWN, "ledger")]) + swarm.report()
    assert "ledger_password" in reported
    assert password not in reported
    assert swarm.key not in reported


def test_what_is_printed_for_a_look_shows_all_of_it(swarm: Swarm) -> None:
    assert swarm.name in swarm.types("docker stack services ev-grid")
    assert "Running" in swarm.types("docker stack ps ev-grid")


def test_three_hundred_vehicles_charge_as_the_page_sends_them(swarm: Swarm) -> None:
    (send,) = (text for text in swarm.printed() if "load-tester" in text)
    assert f"{VEHICLES} of {VEHICLES} vehicles charged" in swarm.types(send)


def test_a_scaled_substation_is_found_and_used(swarm: Swarm) -> None:
    vehicles = Vehicles(swarm, VEHICLES, RATE)
    swarm.types("docker service scale ev-grid_substation2=4")
    eventually(swarm.expect_all_up, _FOUND_WITHIN_S, every_s=0.2)
    vehicles.have_charged()

    ended = 'substation_sessions_total{outcome="charged"}'
    used = [counters[ended] for counters in swarm.counters("substation2", 5002)]
    assert len(used) == 4
    assert min(used) > 0


def test_more_balancers_and_gateways_join_under_load(swarm: Swarm) -> None:
    swarm.types("docker service scale ev-grid_load_balancer=2")
    vehicles = Vehicles(swarm, VEHICLES, RATE)
    swarm.types("docker service scale ev-grid_load_balancer=3 ev-grid_charge_request_service=2")
    vehicles.have_charged()

    def both_gateways_use_all_balancers() -> None:
        before = dispatched(swarm)
        assert len(before) == 3
        assert len(swarm.addresses()) == 2
        for gateway in swarm.addresses() * 6:
            assert swarm.charge(key=swarm.key, gateway=gateway).status_code == 200
        after = dispatched(swarm)
        assert all(now > then for now, then in zip(after, before, strict=True)), (before, after)

    eventually(both_gateways_use_all_balancers, 20, every_s=0.5)


def dispatched(swarm: Swarm) -> list[float]:
    """Tell how many vehicles each balancer has sent on."""
    return [
        sum(
            value
            for name, value in counters.items()
            if name.startswith("balancer_dispatches_total")
        )
        for counters in swarm.counters("load_balancer", 5001)
    ]


def test_everything_is_replaced_under_load(swarm: Swarm) -> None:
    before = {one["Id"] for service in OWN for one in swarm.containers(service)}
    vehicles = Vehicles(swarm, VEHICLES, RATE / 3)  # for as long as it takes
    swarm.roll("charge_request_service", "substation1", "substation2", "substation3")
    swarm.types("docker service update --force ev-grid_load_balancer")
    vehicles.have_charged()
    swarm.wait_until_converged()

    after = {one["Id"] for service in OWN for one in swarm.containers(service)}
    assert len(after) == len(before)
    assert before & after == set()


def test_tasks_that_are_killed_under_load_lose_nobody(swarm: Swarm) -> None:
    vehicles = Vehicles(swarm, VEHICLES, RATE)
    swarm.kill("load_balancer")
    swarm.kill("substation3")
    swarm.kill("charge_request_service")
    vehicles.have_charged()
    swarm.wait_until_converged()


def test_four_substations_become_one_under_load_and_no_session_is_cut(swarm: Swarm) -> None:
    assert len(swarm.containers("substation2")) == 4
    eventually(swarm.expect_all_up, _FOUND_WITHIN_S, every_s=0.2)
    cut_before = cut(swarm)
    vehicles = Vehicles(swarm, VEHICLES, RATE)
    swarm.types("docker service scale ev-grid_substation2=1")
    vehicles.have_charged()

    swarm.wait_until_converged()
    assert len(swarm.containers("substation2")) == 1
    assert cut(swarm) == cut_before


def test_three_balancers_and_two_gateways_become_one_of_each_under_load(swarm: Swarm) -> None:
    vehicles = Vehicles(swarm, VEHICLES, RATE)
    swarm.scale(load_balancer=1, charge_request_service=1)
    vehicles.have_charged()
    swarm.wait_until_converged()


def test_prometheus_finds_every_task(swarm: Swarm) -> None:
    if not swarm.containers("prometheus"):
        pytest.skip("the image of prometheus cannot be had")

    def scraped() -> None:
        found = swarm.targets()
        wanted = dict.fromkeys(("charge_request_service", "load_balancer"), 1)
        assert found == wanted | {"substation": 3, "prometheus": 1}, found

    eventually(scraped, 30, every_s=0.5)
