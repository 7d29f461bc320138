"""Starts again what ended: after a pause that grows, and not for ever."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from local_stack.process import Process, StartError

# Before each start in a row, seconds. As many are tried.
PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
# What ran for so long is well: its next end is the first in a row.
WELL_AFTER_S = 30.0


@dataclass
class _Part:
    process: Process
    started: float  # of the clock
    tries: int = 0
    due: float | None = None  # when it is started again
    reported_ready: bool = True
    left_down: bool = False


class Supervisor:
    """Looks after processes that have been started, and says what happens to them.

    Attributes:
        restarts: whether to start anything again.
    """

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
        """Look at each process, and start what is due; to be called a few times a second."""
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
        part.process.kill()  # its port may be held by what the program left behind
        if not self.restarts:
            part.left_down = True
            self._say(f"{name} {how}. It is left down.")
            return
        if self._clock() - part.started >= WELL_AFTER_S:
            part.tries = 0
        if part.tries == len(PAUSES_S):
            part.left_down = True
            self._say(
                f"{name} {how}. It is left down after {part.tries} restarts; its log ends with:\n"
                f"{part.process.log_tail()}"
            )
            return
        pause = PAUSES_S[part.tries]
        part.tries += 1
        part.due = self._clock() + pause
        self._say(
            f"{name} {how}. It is started again in {pause:g} s "
            f"(restart {part.tries} of {len(PAUSES_S)})."
        )
