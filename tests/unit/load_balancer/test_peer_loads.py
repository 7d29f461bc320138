"""What other balancers hold, as one of them knows it, and what that does to its estimate."""

from load_balancer.routing.health import Reading
from load_balancer.routing.outcome import Outcome
from load_balancer.routing.peer_loads import PeerLoads
from tests.unit.load_balancer.routing.grid import Grid


def test_what_others_hold_is_counted_as_soon_as_they_tell() -> None:
    grid = Grid(8)
    substation = grid.substation("a")
    grid.poll("a", load=0)
    grid.arrive()
    grid.pool.peer_holds("p", {substation.address: 3}, grid.now)
    assert (substation.own, substation.foreign, substation.load, substation.known_load) == (
        1,
        3,
        4,
        4,
    )
    grid.pool.peer_holds("p", {substation.address: 1}, grid.now)
    assert substation.load == 2


def test_what_the_gauge_shows_beyond_all_that_is_reported_is_foreign() -> None:
    grid = Grid(8)
    substation = grid.substation("a")
    grid.pool.peer_holds("p", {substation.address: 2}, grid.now)
    grid.poll("a", load=5)
    grid.pool.peer_holds("p", {substation.address: 2}, grid.now)
    assert substation.load == 5
    grid.pool.peer_holds("p", {}, grid.now)
    assert substation.load == 3


def test_a_vehicle_that_a_poll_shows_before_its_balancer_reports_it_is_counted_once() -> None:
    grid = Grid(8)
    substation = grid.substation("a")
    grid.pool.peer_holds("p", {}, grid.now)
    grid.poll("a", load=1)
    assert substation.load == 1
    grid.pool.peer_holds("p", {substation.address: 1}, grid.now)
    assert substation.load == 1
    grid.pool.peer_holds("p", {substation.address: 2}, grid.now)
    assert substation.load == 2


def test_the_vehicles_in_a_balancers_first_report_are_in_the_gauge_already() -> None:
    grid = Grid(8)
    substation = grid.substation("a")
    grid.poll("a", load=4)
    grid.pool.peer_holds("p", {substation.address: 3}, grid.now)
    assert substation.load == 4


def test_the_vehicles_of_a_balancer_that_stops_reporting_are_foreign_load() -> None:
    grid = Grid(8)
    substation = grid.substation("a")
    grid.pool.peer_holds("p", {substation.address: 3}, grid.now)
    grid.poll("a", load=3)
    grid.pool.forget_peer("p")
    assert (substation.load, grid.pool.peers) == (3, set())


def test_a_response_with_a_load_report_is_as_good_as_a_poll() -> None:
    grid = Grid(8)
    substation = grid.substation("a")
    grid.poll("a", load=0)
    queued_sessions = [grid.arrive(), grid.arrive()]
    dispatch = grid.dispatch_of(queued_sessions[0])
    grid.pool.end(dispatch, Outcome.CHARGED, grid.now, reading=Reading(5, 8))
    assert (substation.own, substation.foreign, substation.load) == (1, 4, 5)


def test_an_answer_does_not_bring_a_lost_substation_back() -> None:
    grid = Grid(8)
    substation = grid.substation("a")
    grid.poll("a", load=0)
    substation.eject("gone")
    substation.reported(Reading(load=5, capacity=8), grid.now)
    assert substation.load == 0


def test_the_version_of_what_is_held_rises_with_each_vehicle_that_comes_or_leaves() -> None:
    grid = Grid(8)
    versions, queued_sessions = [grid.pool.held_version], []
    for held in (1, 2, 3, 4):
        queued_sessions.append(grid.arrive())
        versions.append(grid.pool.held_version)
        assert grid.pool.holds() == {grid.substation("a").address: held}
    for queued in queued_sessions:
        grid.complete(queued)
        versions.append(grid.pool.held_version)
    assert grid.pool.holds() == {}
    assert versions == sorted(set(versions))


def test_a_balancer_that_reports_is_none_of_those_whose_vehicles_are_guessed() -> None:
    grid = Grid(100, balancers=3)
    substation = grid.substation("a")
    others = [substation.estimate.silent_balancers]
    for name in "pqr":
        grid.pool.peer_holds(name, {}, grid.now)
        others.append(substation.estimate.silent_balancers)
    for name in "rqp":
        grid.pool.forget_peer(name)
        others.append(substation.estimate.silent_balancers)
    assert others == [2, 1, 0, 0, 0, 1, 2]


def test_each_balancer_is_counted_by_its_own_report() -> None:
    grid = Grid(8)
    substation = grid.substation("a")
    for name, vehicles in (("p", 3), ("q", 2), ("p", 1)):
        grid.pool.peer_holds(name, {substation.address: vehicles}, grid.now)
    assert substation.load == 3

    grid.pool.forget_peer("p")
    grid.poll("a", load=2)
    assert substation.load == 2


def test_a_report_says_whether_it_changes_what_is_known_of_a_substation() -> None:
    substation = Grid(8).substation("a")
    assert [substation.estimate.peer_holds("p", vehicles) for vehicles in (1, 1, 2)] == [
        True,
        False,
        True,
    ]
    assert substation.estimate.peers.now == 2


def test_a_vehicle_that_waits_goes_as_soon_as_another_balancer_reports_a_point_free() -> None:
    grid = Grid(1)
    substation = grid.substation("a")
    grid.pool.peer_holds("p", {substation.address: 1}, grid.now)
    grid.poll("a", load=1)
    waiting = grid.arrive()
    assert grid.where(waiting) is None

    grid.pool.peer_holds("p", {}, grid.now)

    assert grid.where(waiting) == "a"


def test_what_an_answer_tells_of_a_substation_is_as_old_as_the_answer() -> None:
    grid = Grid(8)
    dispatch = grid.dispatch_of(grid.arrive())
    grid.pass_time(1.0)
    grid.pool.end(dispatch, Outcome.CHARGED, grid.now, reading=Reading(5, 8))
    assert grid.substation("a").gauge_age_s(grid.now) == 0


def test_of_what_a_balancer_reports_after_a_reading_the_first_alone_may_be_in_the_gauge() -> None:
    peers = PeerLoads()
    peers.hold("p", 2)
    peers.read()
    assert peers.at_reading == 2
    peers.hold("p", 5)  # it may have had them before
    assert (peers.now, peers.at_reading) == (5, 5)
    peers.hold("p", 7)
    assert (peers.now, peers.at_reading) == (7, 5)
    peers.hold("q", 1)
    peers.forget("p")
    assert (peers.now, peers.at_reading, peers.count) == (1, 1, 1)  # its first report


def test_a_balancer_that_never_reported_can_be_forgotten() -> None:
    peers = PeerLoads()
    peers.forget("p")
    assert (peers.now, peers.at_reading, peers.count) == (0, 0, 0)
