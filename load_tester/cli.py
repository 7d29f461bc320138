"""The program: wires options, plan, runner, watch and reports together."""

import contextlib
import json
import resource
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

import gevent
from rich.console import Console
from urllib3.util import parse_url

from load_tester.client import Gateway, NoAnswer
from load_tester.each import write_each
from load_tester.limits import Thresholds
from load_tester.options import Options, parse_options
from load_tester.page import render_page
from load_tester.planning import DEFAULT_STRESS_DELAY_S, make_plan
from load_tester.recorder import Recorder
from load_tester.result import Result, Setting, as_json, sum_up
from load_tester.runner import Runner
from load_tester.tables import print_result, report_console
from load_tester.vehicle import Plan, PlanError

_SPARE_FILES = 64  # descriptors for everything but vehicles
_MISSED, _MISUSED, _INTERRUPTED = 1, 2, 128 + signal.SIGINT


class Unusable(Exception):
    """A run that cannot begin; the message names what is wrong and the remedy."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the load tester; return its exit status."""
    options = parse_options(arguments)
    hub = gevent.get_hub()
    hub.NOT_ERROR = (*hub.NOT_ERROR, KeyboardInterrupt)  # told below, and not by gevent as well
    # With the JSON on stdout, people read stderr.
    console = report_console(stderr=options.json == Path("-"))
    try:
        plan = make_plan(options)
        _allow_files(plan.concurrency or len(plan.vehicles))
        gateway = _reach(options)
        with _outputs(options) as outputs:
            return _run(options, plan, gateway, console, outputs)
    except (PlanError, Unusable) as error:
        sys.stderr.write(f"load_tester: {error}\n")
        return _MISUSED
    except KeyboardInterrupt:  # before the run, which takes the signal itself
        sys.stderr.write("load_tester: interrupted\n")
        return _INTERRUPTED


Outputs = dict[str, TextIO]


@contextlib.contextmanager
def _outputs(options: Options) -> Iterator[Outputs]:
    """Open what will be written before the run, so that a wrong path does not cost its results."""
    wanted = {"--json": options.json, "--report": options.report, "--each": options.each}
    with contextlib.ExitStack() as stack:
        files: Outputs = {}
        for option, path in wanted.items():
            if path is None:
                continue
            if option == "--json" and path == Path("-"):
                files[option] = sys.stdout
                continue
            try:
                file = path.open("w", encoding="utf-8", newline="")
            except OSError as error:
                reason = (error.strerror or "cannot be written").lower()
                raise Unusable(f"{option} {path}: {reason}; name a file to write") from None
            files[option] = stack.enter_context(file)
        yield files


def _allow_files(vehicles: int) -> None:
    """Raise the limit of open files to what so many vehicles at once may need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = vehicles + _SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))


def _reach(options: Options) -> Gateway:
    gateway = Gateway(
        parse_url(options.url),
        timeout=options.timeout,
        wait=options.wait,
        api_key=options.api_key,
    )
    try:
        gateway.connect().close()
    except NoAnswer as error:
        raise Unusable(
            f"--url {options.url}: {error}; start the grid with `make run`, or name another gateway"
        ) from None
    return gateway


def _run(options: Options, plan: Plan, gateway: Gateway, console: Console, outputs: Outputs) -> int:
    # Without markup: names of files and columns may have brackets.
    console.print(f"{plan.scenario}: {plan.summary}", markup=False)
    for note in plan.notes:
        console.print(f"  {note}", markup=False)
    thresholds = Thresholds(
        options.max_lost, options.max_p99, _delay_limit(options), options.min_rate
    )
    recorder = Recorder(options, plan, gateway, thresholds, console)
    with _stopping(recorder.runner) as signals:
        recording = recorder.record()
        recording.interrupted = bool(signals)
    setting = Setting(
        options.url,
        options.seed,
        recorder.began.isoformat(timespec="seconds"),
        thresholds,
        options.patience,
    )
    result = sum_up(recording, setting)
    print_result(console, result)
    _write(result, outputs, console, options)
    if signals:
        return 128 + signals[0]
    return 0 if result.passed else _MISSED


def _delay_limit(options: Options) -> float | None:
    """Return the limit of the p99 delay: a stress run needs some service level to break."""
    if options.scenario == "stress" and options.max_p99 is None and options.max_p99_delay is None:
        return DEFAULT_STRESS_DELAY_S
    return options.max_p99_delay


@contextlib.contextmanager
def _stopping(runner: Runner) -> Iterator[list[int]]:
    """Stop the run on Ctrl-C or SIGTERM: no more vehicles, those out hang up. Yields the signal."""
    received: list[int] = []

    def stop(number: int) -> None:
        if received:  # the second time: at once, without a report
            raise SystemExit(128 + number)
        received.append(number)
        runner.stop(hang_up=True)

    handlers = [
        gevent.signal_handler(number, stop, number) for number in (signal.SIGINT, signal.SIGTERM)
    ]
    try:
        yield received
    finally:
        for handler in handlers:
            handler.cancel()


def _write(result: Result, outputs: Outputs, console: Console, options: Options) -> None:
    if "--json" in outputs:
        json.dump(as_json(result), outputs["--json"], indent=2)
        outputs["--json"].write("\n")
    if "--report" in outputs:
        outputs["--report"].write(render_page(result))
        console.print(f"report: {options.report}", markup=False)
    if "--each" in outputs:
        write_each(result.recording.charges, outputs["--each"])
