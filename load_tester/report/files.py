"""The output files of a run: the page, the JSON, the rows."""

import json
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Self, TextIO

from load_tester.options import STDOUT, Options
from load_tester.outputs import Output, OutputError, check_apart, reason
from load_tester.report.csv_export import write_csv
from load_tester.report.page import render_page
from load_tester.result import Result, as_json
from load_tester.standard_streams import TolerantStream


def _write_json(result: Result, file: TextIO) -> None:
    json.dump(as_json(result), file, indent=2)
    file.write("\n")


_WRITERS: dict[str, Callable[[Result, TextIO], object]] = {
    "--json": _write_json,
    "--report": lambda result, file: file.write(render_page(result)),
    "--each": lambda result, file: write_csv(
        result.recording.charges, result.recording.points, file
    ),
}


class Reports:
    """The outputs of a run; as a context manager it removes incomplete ones.

    Attributes:
        page: path of the page, once it is written.
    """

    def __init__(self, options: Options, stdout: TolerantStream) -> None:
        """Open the outputs.

        Raises:
            OutputError: one cannot be written, or two are the same file.
        """
        self.page: Path | None = None
        self._stdout = stdout
        self._json_on_stdout = options.json == STDOUT
        files = {
            "--json": None if self._json_on_stdout else options.json,
            "--report": options.report,
            "--each": options.each,
        }
        paths = {option: path for option, path in files.items() if path is not None}
        places: dict[str, Path | int] = {} if options.trace is None else {"--trace": options.trace}
        with suppress(OSError):  # it may have no file descriptor
            places["standard output"] = stdout.fileno()
        check_apart({**places, **{f"{option} {path}": path for option, path in paths.items()}})
        self._outputs: dict[str, Output] = {}
        with ExitStack() as opened:
            for option, path in paths.items():
                self._outputs[option] = output = Output(f"{option} {path}", path)
                opened.callback(output.close)
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def write(self, result: Result) -> list[str]:
        """Write each; return the errors of those that could not be written."""
        faults = []
        for option, output in self._outputs.items():
            try:
                output.write(partial(_WRITERS[option], result))
            except OutputError as error:
                faults.append(str(error))
            else:
                if option == "--report":
                    self.page = output.path
        if self._json_on_stdout:
            _write_json(result, self._stdout.file)
            self._stdout.flush()
            if self._stdout.fault is not None:
                faults.append(f"--json -: {reason(self._stdout.fault)}; it was not written")
        return faults
