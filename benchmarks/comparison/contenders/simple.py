"""The simple proxy, as its own program (see simple_server)."""

import os
import sys
from importlib.metadata import version

from benchmarks.comparison.contenders.contender import Contender, Place
from local_stack.process import Process

# How many vehicles it can hold at once: far more than a scene has, so that threads are no limit.
_THREADS = 400


class SimpleWay(Contender):
    """Before each vehicle it fetches every gauge, chooses the lowest and forwards; nothing else."""

    key = "simple"
    name = "the simple way"

    def version(self) -> str:
        """Return the versions of its main dependencies."""
        return f"Flask {version('flask')}, requests {version('requests')}, gunicorn with threads"

    def process(self, place: Place) -> Process:
        """Start it under gunicorn with threads, as such projects do."""
        return Process(
            self.key,
            [
                *(sys.executable, "-m", "gunicorn"),
                *("--bind", f"127.0.0.1:{place.port}"),
                *("--worker-class", "gthread"),
                *("--threads", str(_THREADS)),
                *("--backlog", "4096"),
                *("--timeout", "120"),
                "--no-control-socket",
                "benchmarks.comparison.contenders.simple_server:create_app()",
            ],
            env={
                **os.environ,
                "no_proxy": "*",  # otherwise requests would use the shell's proxy for substations
                "SUBSTATIONS": ",".join(
                    f"http://{substation.address}" for substation in place.substations
                ),
            },
            port=place.port,
            log=place.folder / "simple.log",
        )
