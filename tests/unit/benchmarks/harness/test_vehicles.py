"""A vehicle of the kill run keeps asking until it knows its end."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask

from benchmarks.harness.vehicles import Driver, Manner, Vehicle
from tests.unit.benchmarks.served import served

Answer = tuple[int, dict[str, str], dict[str, Any]]
CHARGED = {"status": "charged", "session_id": "s2", "energy_kwh": 5.0}


@contextmanager
def gateway(*answers: Answer) -> Iterator[str]:
    """Run a gateway that gives these answers in turn, the last one from then on."""
    left = list(answers)

    app = Flask(__name__)

    @app.route("/<path:_path>", methods=["GET", "POST"])
    def answer(_path: str) -> tuple[str, int, dict[str, str]]:
        status, headers, document = left.pop(0) if len(left) > 1 else left[0]
        return json.dumps(document), status, headers

    with served(app) as url:
        yield url


def driven(manner: Manner, *answers: Answer) -> Vehicle:
    vehicle = Vehicle(1, manner, 5.0)
    with gateway(*answers) as url:
        Driver(url, vehicle, threading.Event()).drive()
    return vehicle


def test_a_session_that_was_refused_is_none_of_the_vehicle_s() -> None:
    refused: Answer = (503, {"Retry-After": "0"}, {"session_id": "s1", "detail": "no ledger"})
    accepted: Answer = (202, {"Location": "/sessions/s2"}, {"session_id": "s2", "state": "waiting"})
    vehicle = driven(Manner.ASYNC, refused, accepted, (200, {}, CHARGED))
    assert vehicle.sessions == {"s2"}
    assert vehicle.ends == [("charged", 5.0), ("charged", 5.0)]
    assert vehicle.asked_again
    assert not vehicle.troubles


def test_a_vehicle_whose_key_finds_another_session_has_two() -> None:
    other = {**CHARGED, "session_id": "s3"}
    vehicle = driven(Manner.HELD, (200, {}, CHARGED), (200, {}, other))
    assert vehicle.sessions == {"s2", "s3"}


def test_an_answer_that_should_not_be_is_noted() -> None:
    vehicle = driven(Manner.HELD, (500, {}, {"detail": "oh"}), (200, {}, CHARGED))
    assert vehicle.troubles == ['500 {"detail": "oh"}']
