"""The output files of a run: the page, the JSON, the rows."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TextIO

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


@contextmanager
def open_reports(options: Options, stdout: TolerantStream) -> Iterator["Reports"]:
    """Open the outputs; incomplete ones are removed at the end.

    Raises:
        OutputError: one cannot be written, or two are the same file.
    """
    json_path = None if options.json == STDOUT else options.json
    files = {"--json": json_path, "--report": options.report, "--each": options.each}
    paths = {option: path for option, path in files.items() if path is not None}
    places: dict[str, Path | int] = {} if options.trace is None else {"--trace": options.trace}
    with suppress(OSError):  # it may have no file descriptor
        places["standard output"] = stdout.fileno()
    check_apart({**places, **{f"{option} {path}": path for option, path in paths.items()}})
    with ExitStack() as opened:
        outputs = {
            option: opened.enter_context(closing(Output(f"{option} {path}", path)))
            for option, path in paths.items()
        }
        yield Reports(outputs, stdout if options.json == STDOUT else None)


class Reports:
    """The outputs of a run.

    Attributes:
        page: path of the page, once it is written.
    """

    def __init__(self, outputs: Mapping[str, Output], json_stream: TolerantStream | None) -> None:
        self.page: Path | None = None
        self._outputs = outputs
        self._json_stream = json_stream

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
        if self._json_stream is not None:
            _write_json(result, self._json_stream.file)
            self._json_stream.flush()
            if self._json_stream.fault is not None:
                faults.append(f"--json -: {reason(self._json_stream.fault)}; it was not written")
        return faults
