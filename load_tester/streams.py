"""Standard output and error, whose reader may leave before the run is over."""

import contextlib
import io
import os
import sys
from typing import Any, TextIO, cast


class Lasting:
    """A stream that drops what cannot be written, and remembers why; all else is the stream's own.

    So `| head -1` ends the output, and not the run.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.fault: OSError | None = None

    @property
    def file(self) -> TextIO:
        """The same, for those who want a file."""
        return cast("TextIO", self)

    def __getattr__(self, name: str) -> Any:
        """Give what the stream has besides."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or drop it."""
        if self.fault is None:
            try:
                return self._stream.write(text)
            except OSError as error:
                self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Send on what is still held, or drop it."""
        if self.fault is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.fault = error
        # What it still holds has to go somewhere, or the interpreter stumbles over it at its end.
        with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), self._stream.fileno())


def standard_streams() -> tuple[Lasting, Lasting]:
    """Return standard output and error; one that is closed goes nowhere."""
    # Without one it is None, whatever its type says.
    nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as they
    out, err = sys.stdout or nowhere, sys.stderr or nowhere
    for stream in (out, err):
        if isinstance(stream, io.TextIOWrapper):
            # A letter that the terminal's encoding lacks is written as its number.
            stream.reconfigure(errors="backslashreplace")
    return Lasting(out), Lasting(err)
