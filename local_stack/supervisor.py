"""Restarts processes that end, after growing pauses and a limited number of times."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from local_stack.process import Process, StartError

# Pauses before consecutive restarts, seconds. There are as many tries.
PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
# After running this long a process counts as healthy, and its count of restarts starts again.
# Seconds.
WELL_AFTER_S = 30.0


@dataclass
class _Part:
    process: Process
    started: float  # time of the last start
    tries: int = 0
    due: float | None = None  # when to restart it
    reported_ready: bool = True
    left_down: bool = False


class Supervisor:
    """Watches processes that have been started, and reports what happens to them."""

    def __init__(
        self,
        processes: Sequence[Process],
        *,
        say: Callable[[str], None],
        clock: Callable[[], float],
        restarts: bool = True,
    ) -> None:
        self.restarts = restarts
        self._say = say
        self._clock = clock
        self._parts = [_Part(process, clock()) for process in processes]

    def look(self) -> None:
        """Check each process, and restart those that are due; call this a few times a second."""
        for part in self._parts:
            if part.left_down:
                continue
            if part.due is not None:
                if self._clock() >= part.due:
                    self._start(part)
            elif not part.process.running:
                self._ended(part, part.process.ending)
            elif not part.reported_ready and part.process.missing() is None:
                part.reported_ready = True
                self._say(f"{part.process.name} is ready again.")

    def _start(self, part: _Part) -> None:
        part.due = None
        part.started = self._clock()
        part.reported_ready = False
        try:
            part.process.start()
        except StartError as error:
            self._ended(part, f"did not start ({error})")

    def _ended(self, part: _Part, how: str) -> None:
        name = part.process.name
        part.process.kill()  # processes that the program left behind may hold its port
        if not self.restarts:
            part.left_down = True
            self._say(f"{name} {how}. It stays down.")
            return
        if self._clock() - part.started >= WELL_AFTER_S:
            part.tries = 0
        if part.tries == len(PAUSES_S):
            part.left_down = True
            self._say(
                f"{name} {how}. It stays down after {part.tries} restarts; its log ends with:\n"
                f"{part.process.log_tail()}"
            )
            return
        pause = PAUSES_S[part.tries]
        part.tries += 1
        part.due = self._clock() + pause
        self._say(
            f"{name} {how}. It will be restarted in {pause:g} s "
            f"(restart {part.tries} of {len(PAUSES_S)})."
        )
