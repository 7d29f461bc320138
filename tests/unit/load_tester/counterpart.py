"""A small grid in one process, for the load tester to be tested against: `counterpart.py SETTINGS`.

It speaks the contract over plain sockets, so that it can also break it: SETTINGS is a JSON object,
and each `*_every: N` makes every Nth vehicle go wrong in its own way. Prints its port once it
listens.
"""

import itertools
import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

import gevent
import gevent.socket
from gevent.event import Event
from gevent.server import StreamServer

Json = dict[str, Any]
Reply = tuple[int, Json, dict[str, str]]

DEFAULTS: Json = {
    "substations": {"substation1": 4, "substation2": 8, "substation3": 12},
    "kwh_per_s": 100.0,
    "max_wait": 60.0,
    "decisions": True,
    "substation_metrics": True,
    "choose": "least",  # or "most": the wrong one
    "refuse_every": 0,  # 503 at once, with Retry-After
    "refuse_first": 0,  # the same for the first N tries
    "reject_every": 0,  # 400
    "drop_every": 0,  # disconnect without an answer
    "half_every": 0,  # disconnect within the answer
    "half_late_every": 0,  # the same, once it is charged
    "garble_every": 0,  # not HTTP
    "other_vehicle_every": 0,  # another vehicle's answer
    "accept_every": 0,  # 202
    "phantom_every": 0,  # answered as charged, counted nowhere
    "twice_every": 0,  # charged once more, at a substation that was not asked to
    "guest_every": 0,  # somebody else's vehicle is charged beside
    "frozen_after": 0,  # from this vehicle on nobody is answered for `frozen_s`
    "frozen_s": 0.0,
    "gathers": 0,  # no vehicle gets anything before so many are at their points
}


AT_ONCE: dict[str, Reply | bytes] = {
    "refuse": (
        503,
        {"title": "Unavailable", "detail": "no point in time", "status": 503},
        {"Retry-After": "0.2"},
    ),
    "reject": (400, {"title": "Bad request", "detail": "kwh is wrong"}, {}),
    "drop": b"",
    "garble": b"what is HTTP?\r\n\r\n",
    "half": b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"status":',
}


class Grid:
    """Substations with points, one queue, and counters."""

    def __init__(self, settings: Json) -> None:
        self.settings = settings
        self.load = dict.fromkeys(settings["substations"], 0)
        self.charged = dict.fromkeys(settings["substations"], 0)
        self.kwh = dict.fromkeys(settings["substations"], 0.0)
        self.answers: dict[int, int] = {}
        self.decisions: list[Json] = []
        self.waiting = 0
        self.gathered = Event()
        self.freed = Event()
        self.count = itertools.count(1)
        self.sessions = itertools.count(1)
        self.started = time.time()
        self.thaw = 0.0

    def due(self, fault: str, number: int) -> bool:
        every: int = self.settings[f"{fault}_every"]
        return every > 0 and number % every == 0

    def take(self, vehicle_id: str, session_id: str, deadline: float) -> str | None:
        """Wait for a point and take it; None when the time is up."""
        began = time.monotonic()
        self.waiting += 1
        try:
            while True:
                free = [n for n, c in self.settings["substations"].items() if self.load[n] < c]
                if free:
                    break
                self.freed.clear()
                left = deadline - time.monotonic()
                if left <= 0 or not self.freed.wait(left):
                    return None
        finally:
            self.waiting -= 1
        capacity = self.settings["substations"]
        candidates = [
            {
                "substation": name,
                "load": self.load[name],
                "capacity": capacity[name],
                "score": (self.load[name] + 1) / capacity[name],
                "gauge_age_s": 0.1,
            }
            for name in free
        ]
        pick = min if self.settings["choose"] == "least" else max
        chosen: str = pick(candidates, key=lambda substation: substation["score"])["substation"]
        self.load[chosen] += 1
        self.decisions.append(
            {
                "sequence": len(self.decisions) + 1,
                "time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
                "session_id": session_id,
                "vehicle_id": vehicle_id,
                "substation": chosen,
                "attempt": 1,
                "waited_s": time.monotonic() - began,
                "policy": "least-loaded",
                "reason": "least (load + 1) / capacity",
                "candidates": candidates,
                "passed_over": [],
            }
        )
        return chosen

    def charge(self, vehicle_id: str, kwh: float, wait: float | None = None) -> Json | None:
        """Charge a vehicle; return the body of its answer, None when the time is up."""
        session_id = f"session-{next(self.sessions)}"
        began = time.monotonic()
        substation = self.take(vehicle_id, session_id, began + (wait or self.settings["max_wait"]))
        if substation is None:
            return None
        waited = time.monotonic() - began
        if sum(self.load.values()) >= self.settings["gathers"]:
            self.gathered.set()
        self.gathered.wait()
        charging = time.monotonic()
        try:
            gevent.sleep(kwh / self.settings["kwh_per_s"])
            self.charged[substation] += 1
            self.kwh[substation] += kwh
        finally:
            self.load[substation] -= 1
            self.freed.set()
        return {
            "status": "charged",
            "session_id": session_id,
            "vehicle_id": vehicle_id,
            "kwh": kwh,
            "substation": substation,
            "attempts": 1,
            "waited_s": waited,
            "charging_s": time.monotonic() - charging,
        }

    def answer_vehicle(self, document: Json) -> Reply | bytes:
        """Return status, body and headers; bytes to send as they are before disconnecting."""
        number, settings = next(self.count), self.settings
        if settings["frozen_after"] and number == settings["frozen_after"]:
            self.thaw = time.monotonic() + settings["frozen_s"]
        gevent.sleep(max(0.0, self.thaw - time.monotonic()))
        if number <= settings["refuse_first"]:
            return AT_ONCE["refuse"]
        for fault, reply in AT_ONCE.items():
            if self.due(fault, number):
                return reply
        vehicle_id, kwh = document["vehicle_id"], document["kwh"]
        fields = {"session_id": f"session-x{number}", "vehicle_id": vehicle_id, "kwh": kwh}
        if self.due("phantom", number):
            return 200, {"status": "charged", "substation": "substation1", **fields}, {}
        if self.due("accept", number):
            gevent.spawn(self.charge, vehicle_id, kwh)
            return 202, {"status": "charging", **fields}, {}
        return self.charge_with_company(number, vehicle_id, kwh, document.get("wait"))

    def charge_with_company(
        self, number: int, vehicle_id: str, kwh: float, wait: float | None
    ) -> Reply | bytes:
        """Charge, with whatever is due to go wrong beside."""
        if self.due("guest", number):
            gevent.spawn(self.charge, f"guest-{number}", kwh)
        if self.due("twice", number):
            self.charged["substation2"] += 1
            self.kwh["substation2"] += kwh
        body = self.charge(vehicle_id, kwh, wait)
        if body is None:
            return 503, {"title": "Unavailable", "detail": "waited in vain"}, {"Retry-After": "1"}
        if self.due("half_late", number):
            return AT_ONCE["half"]
        if self.due("other_vehicle", number):
            body["vehicle_id"] = "somebody-else"
        return 200, body, {}

    def page(self, path: str, port: int) -> tuple[int, str]:
        """Return the status and body of a GET."""
        page, _, query = path.partition("?")
        if page == "/substations":
            substations = [
                {
                    "name": name,
                    "address": f"http://127.0.0.1:{port}/{name}",
                    "health": "up",
                    "load": self.load[name],
                    "capacity": capacity,
                }
                for name, capacity in self.settings["substations"].items()
            ]
            body = {"policy": "least-loaded", "waiting": self.waiting, "substations": substations}
            return 200, json.dumps(body)
        if page == "/decisions" and self.settings["decisions"]:
            since = int(query.removeprefix("since="))
            last = len(self.decisions)
            return 200, json.dumps({"last": last, "decisions": self.decisions[since:last]})
        if page == "/metrics":
            lines = [f"process_start_time_seconds {self.started}"]
            lines.append("# TYPE charge_requests_total counter")
            lines += [f'charge_requests_total{{status="{s}"}} {n}' for s, n in self.answers.items()]
            return 200, "\n".join(lines)
        substation = page.removesuffix("/metrics").removeprefix("/")
        if (
            page.endswith("/metrics")
            and substation in self.load
            and self.settings["substation_metrics"]
        ):
            return 200, (
                f"process_start_time_seconds {self.started}\n"
                f"substation_current_load {self.load[substation]}\n"
                f'substation_sessions_total{{outcome="charged"}} {self.charged[substation]}\n'
                f'substation_energy_delivered_kwh_total{{outcome="charged"}} '
                f"{self.kwh[substation]!r}\n"
            )
        return 404, "{}"


def serve(grid: Grid, port: int, client: gevent.socket.socket) -> None:
    """Serve one connection."""
    reader = client.makefile("rb")
    with client, reader:
        while request := reader.readline():
            method, path, _ = request.decode().split()
            headers = {}
            while (line := reader.readline()) not in (b"\r\n", b""):
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            body = reader.read(int(headers.get("content-length", 0)))
            if method == "POST":
                document = json.loads(body)
                if headers.get("prefer", "").startswith("wait="):
                    document["wait"] = float(headers["prefer"].removeprefix("wait="))
                answer = grid.answer_vehicle(document)
                if isinstance(answer, bytes):
                    client.sendall(answer)
                    return
                status, content, extra = answer
                grid.answers[status] = grid.answers.get(status, 0) + 1
                text = json.dumps(content)
            else:
                (status, text), extra = grid.page(path, port), {}
            lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(text.encode())}"]
            lines += [f"{name}: {value}" for name, value in extra.items()]
            client.sendall("\r\n".join([*lines, "", text]).encode())
            if headers.get("connection") == "close":
                return


def main() -> None:
    grid = Grid({**DEFAULTS, **json.loads(sys.argv[1])})
    listener = gevent.socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(4096)
    port = listener.getsockname()[1]
    server = StreamServer(listener, lambda client, _: serve(grid, port, client))
    server.start()
    print(port, flush=True)  # noqa: T201 - the test reads it
    server.serve_forever()


if __name__ == "__main__":
    main()
