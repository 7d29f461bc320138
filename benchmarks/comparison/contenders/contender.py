"""The interface of a contender, and the place that it takes."""

import http.client
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import NamedTuple

from benchmarks.comparison.scenes import Scene
from local_stack.process import Process


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


class Contender(ABC):
    """A program that takes the balancer's place."""

    key: str  # name on the command line
    name: str

    @abstractmethod
    def missing(self) -> str | None:
        """Return what is not installed, and how to get it; None if it can run."""

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


def answer_limit_s(place: Place) -> float:
    """Return the silence after which a contender without a better method tries another substation.

    This is generous: the operator knows the longest charge of the day and adds only 2 s.
    """
    return place.longest_s + 2.0


def fill_in(template: Path, file: Path, values: dict[str, object]) -> Path:
    """Write a configuration from its template and return its path."""
    text = Template(template.read_text(encoding="utf-8")).substitute(values)
    file.write_text(text, encoding="utf-8")
    return file


def find(program: str) -> str | None:
    """Find a program, including Debian's server directories, which may not be in a user's PATH."""
    return shutil.which(program) or shutil.which(program, path="/usr/local/sbin:/usr/sbin")


def first_line(command: Sequence[str]) -> str:
    """Return the first line that a program prints, on stdout or stderr."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines[0].strip() if lines else ""


def fetch(port: int, path: str) -> str:
    """Read a page on loopback.

    Raises:
        OSError: there is no response.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode("utf-8", "replace")
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    finally:
        connection.close()
