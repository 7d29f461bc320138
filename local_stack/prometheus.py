"""Prometheus as a process next to the grid, configured as in the Compose stack."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from local_stack.process import ROOT, Process

_SOURCE = ROOT / "prometheus"


class Prometheus(Process):
    """Prometheus with the scrapes and rules of the Compose stack, on loopback."""

    def __init__(
        self, program: str, folder: Path, port: int, targets: Mapping[str, Sequence[str]]
    ) -> None:
        """Prepare it; `targets` maps addresses of the Compose stack to local ones."""
        self._folder = folder
        self._targets = {**targets, "localhost:9090": [f"127.0.0.1:{port}"]}
        super().__init__(
            "prometheus",
            [
                program,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'prometheus-data'}",
                "--storage.tsdb.retention.time=1d",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            env=os.environ,
            port=port,
            log=folder / "prometheus.log",
            ready_path="/-/ready",
        )

    def configure(self) -> None:
        """Write its configuration into the directory; call this before its first start.

        Raises:
            OSError: the directory cannot be written.
        """
        config = (_SOURCE / "prometheus.yml").read_text()
        for inside, here in self._targets.items():
            config = config.replace(f'["{inside}"]', json.dumps(here)).replace(inside, here[0])
        (self._folder / "prometheus.yml").write_text(config)
        rules = self._folder / "rules"
        rules.unlink(missing_ok=True)
        rules.symlink_to(_SOURCE / "rules")


def find_program() -> str | None:
    """Return the path of the program `prometheus`, or None."""
    return shutil.which("prometheus")
