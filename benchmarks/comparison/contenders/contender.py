"""What a contender has to be able to do, and the place that it is put in."""

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
    """A substation as a contender is told of it."""

    name: str
    port: int
    capacity: int
    point_power_kw: float
    power_limit_kw: float  # the most that it gives

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Place:
    """The balancer's place: where to listen, which substations there are, where files may go."""

    port: int
    admin_port: int
    substations: Sequence[PlacedSubstation]
    folder: Path
    longest_s: float  # longest that a vehicle charges


class Contender(ABC):
    """Something that takes the balancer's place."""

    key: str  # for the command line
    name: str

    @abstractmethod
    def missing(self) -> str | None:
        """Say what is not installed, and how to get it; None where it can run."""

    def plays(self, scene: Scene) -> bool:  # noqa: ARG002 - theirs may
        """Tell whether a scene shows anything of it that others do not."""
        return True

    @abstractmethod
    def version(self) -> str:
        """Say which version would run."""

    @abstractmethod
    def process(self, place: Place) -> Process:
        """Write its configuration and prepare its process."""

    def not_ready(self, process: Process, place: Place) -> str | None:  # noqa: ARG002 - theirs may
        """Say what is missing until vehicles can be sent; None once they can."""
        return process.answers("/readyz")


def answer_limit_s(place: Place) -> float:
    """Tell after what silence of a substation a contender without a better way tries another.

    Generous to them: the operator knows the longest charge of the day and adds but 2 s.
    """
    return place.longest_s + 2.0


def fill_in(template: Path, file: Path, values: dict[str, object]) -> Path:
    """Write a configuration from its template and return its path."""
    text = Template(template.read_text(encoding="utf-8")).substitute(values)
    file.write_text(text, encoding="utf-8")
    return file


def find(program: str) -> str | None:
    """Find a program, also where Debian keeps servers, which a user's PATH may leave out."""
    return shutil.which(program) or shutil.which(program, path="/usr/local/sbin:/usr/sbin")


def first_line(command: Sequence[str]) -> str:
    """Return the first line that a program says, wherever it says it."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines[0].strip() if lines else ""


def fetch(port: int, path: str) -> str:
    """Read a page on loopback.

    Raises:
        OSError: nobody answers.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode("utf-8", "replace")
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    finally:
        connection.close()
