"""A third-party substation: another gauge, another port for metrics, unusual responses.

Run as a program, it is a real process with real sockets. Arguments: a JSON object, see `BEHAVIOUR`.
"""

import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BEHAVIOUR: dict[str, Any] = {
    "port": 0,
    "metrics_port": 0,  # 0: the same as `port`
    "metrics_path": "/metrics",
    "page": "ev_charging_load 0\n",  # what it says; {load}, {kw}, {peak}, {charged} are filled in
    "page_times": 1,
    "content_type": "",  # of every answer; the balancer asks for none, Prometheus 3 does
    "page_delay_s": 0,
    "page_drip_s": 0,  # pause between single bytes of the page
    "host": ".*",  # a pattern of `Host`; any other is a 421
    "charge_path": ".*",  # a pattern; any other is a 404
    "body": {},  # what the body needs: members, each with a pattern of its JSON; else it is a 422
    "charge_status": 200,
    "charge_s": 0.2,
    "answers_at_start": False,  # a 202 does in any case
    "raw_answer": None,  # bytes to answer a charge with, instead of HTTP
    **(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}),
}
VEHICLE_KW = 22
charging = charged = peak = 0
lock = threading.Lock()


class Substation(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path != BEHAVIOUR["metrics_path"]:
            self.reply(200, b"ready\n")
            return
        if not re.fullmatch(BEHAVIOUR["host"], self.headers["Host"]):
            self.reply(421, b"not a name of this host")
            return
        time.sleep(BEHAVIOUR["page_delay_s"])
        figures = {"load": charging, "kw": VEHICLE_KW * charging, "peak": peak, "charged": charged}
        text = BEHAVIOUR["page"]
        for name, value in figures.items():
            text = text.replace(f"{{{name}}}", str(value))
        page = text.encode() * BEHAVIOUR["page_times"]
        if BEHAVIOUR["page_drip_s"]:
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            for byte in page:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(BEHAVIOUR["page_drip_s"])
        else:
            self.reply(200, page)

    def do_POST(self) -> None:
        global charging, charged, peak
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if BEHAVIOUR["raw_answer"] is not None:
            self.wfile.write(BEHAVIOUR["raw_answer"].encode("latin-1"))
            self.close_connection = True
            return
        if not re.fullmatch(BEHAVIOUR["host"], self.headers["Host"]):
            self.reply(421, b"not a name of this host")
            return
        if not re.fullmatch(BEHAVIOUR["charge_path"], self.path):
            self.reply(404, b"no such path")
            return
        for name, pattern in BEHAVIOUR["body"].items():
            if not re.fullmatch(pattern, json.dumps(json.loads(body).get(name))):
                self.reply(422, f"{name} is missing or wrong".encode())
                return
        with lock:
            charging += 1
            charged += 1
            peak = max(peak, charging)
        if BEHAVIOUR["charge_status"] == 202 or BEHAVIOUR["answers_at_start"]:
            threading.Timer(BEHAVIOUR["charge_s"], self.unplug).start()
        else:
            time.sleep(BEHAVIOUR["charge_s"])
            self.unplug()
        self.reply(BEHAVIOUR["charge_status"], b'{"ok": true}')

    def unplug(self) -> None:
        global charging
        with lock:
            charging -= 1

    def reply(self, status: int, body: bytes) -> None:
        body = b"" if status == 204 else body
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if BEHAVIOUR["content_type"]:
            self.send_header("Content-Type", BEHAVIOUR["content_type"])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    doors = [ThreadingHTTPServer(("127.0.0.1", BEHAVIOUR["port"]), Substation)]
    if BEHAVIOUR["metrics_port"]:
        doors.append(ThreadingHTTPServer(("127.0.0.1", BEHAVIOUR["metrics_port"]), Substation))
    for door in doors:
        threading.Thread(target=door.serve_forever, daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
