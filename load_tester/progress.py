"""Shows the progress of a run: a bar at a terminal, plain lines elsewhere."""

from collections.abc import Callable

import gevent
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from load_tester.runner import Tally

_LIVE_EVERY_S = 0.25
_LINE_EVERY_S = 5.0
_BAR_WIDTH = 40


class Progress:
    """Shows a tally until `finish`: a bar at a terminal, a line every few seconds elsewhere."""

    def __init__(self, console: Console, tally: Tally, now: Callable[[], float]) -> None:
        self._console = console
        self._tally = tally
        self._now = now
        self._live = (
            Live(self._bar(), console=console, auto_refresh=False, transient=True)
            if console.is_terminal
            else None
        )
        self._repeated: gevent.Greenlet[..., None] | None = None

    def start(self) -> None:
        """Start to show the progress."""
        if self._live is not None:
            self._live.start()
        self._repeated = gevent.spawn(self._repeat)

    def finish(self) -> None:
        """Stop, and leave the terminal clean."""
        if self._repeated is not None:
            self._repeated.kill()
        if self._live is not None:
            self._live.stop()
        else:
            self._show()

    def _repeat(self) -> None:
        while True:
            gevent.sleep(_LIVE_EVERY_S if self._live is not None else _LINE_EVERY_S)
            self._show()

    def _show(self) -> None:
        if self._live is not None:
            self._live.update(self._bar(), refresh=True)
        else:
            self._console.print(self._line())

    def _line(self) -> str:
        tally, now = self._tally, self._now()
        charging = max(0, tally.out - tally.waiting)
        line = (
            f"{now:6.1f} s  arrived {tally.sent:,} of {tally.planned:,}  charging {charging:,}  "
            f"waiting {min(tally.waiting, tally.out):,}  done {tally.charged:,}  "
            f"lost {tally.lost:,}  {tally.charged / max(now, 1e-9):.1f}/s"
        )
        return f"{line}  retries {tally.retries:,}" if tally.retries else line

    def _bar(self) -> RenderableType:
        bar = ProgressBar(self._tally.planned, self._tally.ended, width=_BAR_WIDTH)
        return Group(Text(self._line()), bar)
