"""Standard output and error, whose reader may leave before the run is over."""

import contextlib
import io
import os
import sys
from typing import Any, TextIO, cast


class TolerantStream:
    """A stream that drops what cannot be written, and remembers why; otherwise like the original.

    So `| head -1` ends the output, but not the run.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.fault: OSError | None = None

    @property
    def file(self) -> TextIO:
        """The same stream, as a file."""
        return cast("TextIO", self)

    def __getattr__(self, name: str) -> Any:
        """Return other attributes of the original stream."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or drop the text."""
        if self.fault is None:
            try:
                return self._stream.write(text)
            except OSError as error:
                self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Flush, or drop what is pending."""
        if self.fault is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.fault = error
        # Redirect what is still buffered, or the interpreter fails when it exits.
        with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), self._stream.fileno())


def standard_streams() -> tuple[TolerantStream, TolerantStream]:
    """Return standard output and error; a closed one discards its output."""
    # A closed stream is None, whatever its type says.
    nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as they
    out, err = sys.stdout or nowhere, sys.stderr or nowhere
    for stream in (out, err):
        if isinstance(stream, io.TextIOWrapper):
            # Characters that the terminal's encoding lacks are escaped.
            stream.reconfigure(errors="backslashreplace")
    return TolerantStream(out), TolerantStream(err)
