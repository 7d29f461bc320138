"""Prometheus as a process beside the grid, with the configuration of the Compose stack."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from local_stack.process import ROOT, Process

_SOURCE = ROOT / "prometheus"


class Prometheus(Process):
    """Where the program is installed: the Compose stack's scrapes and rules, on loopback."""

    def __init__(self, program: str, folder: Path, port: int, targets: Mapping[str, str]) -> None:
        """Prepare it; `targets` are addresses here of those in the Compose stack."""
        self._folder = folder
        self._targets = {**targets, "localhost:9090": f"127.0.0.1:{port}"}
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
        """Write its configuration into the folder; to be called before its first start.

        Raises:
            OSError: the folder cannot be written.
        """
        config = (_SOURCE / "prometheus.yml").read_text()
        for inside, here in self._targets.items():
            config = config.replace(inside, here)
        (self._folder / "prometheus.yml").write_text(config)
        rules = self._folder / "rules"
        rules.unlink(missing_ok=True)
        rules.symlink_to(_SOURCE / "rules")


def find_program() -> str | None:
    """Find the program `prometheus`, where it is installed."""
    return shutil.which("prometheus")
