"""The interface of a contender, and the place that it takes."""

import os
import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import NamedTuple

from benchmarks.comparison.scenes import Scene
from benchmarks.simulation.scenes import SubstationSpec
from local_stack.grid import Ports
from local_stack.process import Process, service


class PlacedSubstation(NamedTuple):
    """A substation, as configured for a contender."""

    name: str
    port: int
    capacity: int
    point_power_kw: float
    power_limit_kw: float  # maximum power

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Place:
    """The balancer's place: its port, its substations, and its directory."""

    port: int
    admin_port: int
    substations: Sequence[PlacedSubstation]
    folder: Path
    longest_s: float  # maximum charging time of a vehicle

    @classmethod
    def free(
        cls, substations: Sequence[SubstationSpec], folder: Path, *, longest_s: float
    ) -> "Place":
        """Return a place on free ports, in a directory that is created if necessary."""
        folder.mkdir(parents=True, exist_ok=True)
        ports = Ports.free(len(substations))
        placed = [
            PlacedSubstation(one.name, port, one.capacity, one.point_power_kw, one.limit_kw)
            for one, port in zip(substations, ports.substations, strict=True)
        ]
        return cls(ports.balancer, ports.prometheus, placed, folder, longest_s)

    def substation_processes(self, time_scale: float) -> list[Process]:
        """Return the substations' processes; `time_scale` is their speed relative to real time."""
        return [
            service(
                one.name,
                "substation_service",
                env={
                    "SUBSTATION_NAME": one.name,
                    "CHARGING_POINTS": str(one.capacity),
                    "POINT_POWER_KW": f"{one.point_power_kw:g}",
                    "POWER_LIMIT_KW": f"{one.power_limit_kw:g}",
                    "TIME_SCALE": f"{time_scale:g}",
                },
                port=one.port,
                log=self.folder / f"{one.name}.log",
            )
            for one in self.substations
        ]

    @property
    def answer_limit_s(self) -> float:
        """Silence after which a contender without a better method tries another substation.

        This is generous: the operator knows the longest charge of the day and adds only 2 s.
        """
        return self.longest_s + 2.0


class Contender(ABC):
    """A program that takes the balancer's place."""

    key: str  # name on the command line
    name: str

    def missing(self) -> str | None:
        """Return what is not installed, and how to get it; None if it can run."""
        return None

    def plays(self, scene: Scene) -> bool:  # noqa: ARG002 - theirs may
        """Return whether a scene shows something that other contenders' runs do not."""
        return True

    @abstractmethod
    def version(self) -> str:
        """Return the version that would run."""

    @abstractmethod
    def process(self, place: Place) -> Process:
        """Write its configuration and create its process."""

    def not_ready(self, process: Process, place: Place) -> str | None:  # noqa: ARG002 - theirs may
        """Return what is missing until vehicles can be sent; None once they can."""
        return process.answers("/readyz")


class Program(Contender):
    """A program of others, with a configuration that is written from a template beside it."""

    program: str
    title: str  # before its version
    template: str
    package = "apt-get install {}"
    version_option = "-v"

    @abstractmethod
    def values(self, place: Place) -> Mapping[str, object]:
        """Return what to fill into the template."""

    @abstractmethod
    def options(self, file: Path) -> Sequence[str]:
        """Return the command's options, with this configuration."""

    def found(self) -> str | None:
        """Return the path of the program, if it is installed."""
        return find(self.program)

    def missing(self) -> str | None:
        """Look for the program."""
        if self.found():
            return None
        return f"{self.program} is not installed ({self.package.format(self.program)})"

    def version(self) -> str:
        """Ask the program."""
        command = [self.found() or self.program, self.version_option]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        number = re.search(r"\d+\.\d+[\w.+~-]*", done.stdout + done.stderr)
        return f"{self.title} {number[0]}" if number else self.title

    def process(self, place: Place) -> Process:
        """Write its configuration and create its process."""
        template = Template(Path(__file__).with_name(self.template).read_text(encoding="utf-8"))
        file = place.folder / self.template
        file.write_text(template.substitute(self.values(place)), encoding="utf-8")
        return Process(
            self.key,
            [self.found() or self.program, *self.options(file)],
            env=os.environ,
            port=place.port,
            log=place.folder / f"{self.program}.log",
        )


def find(program: str) -> str | None:
    """Find a program, including Debian's server directories, which may not be in a user's PATH."""
    return shutil.which(program) or shutil.which(program, path="/usr/local/sbin:/usr/sbin")
