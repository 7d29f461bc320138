"""The program: connects options, plan, runner, monitor and reports."""

import contextlib
import resource
import signal
import traceback
from collections.abc import Iterator, Sequence

import gevent

from load_tester.client import Gateway
from load_tester.command_line import parse_options
from load_tester.options import STDOUT, Options
from load_tester.outputs import OutputError, reason
from load_tester.readiness import GatewayUnreachable, wait_for_gateway
from load_tester.recorder import Recorder
from load_tester.report.files import Reports, open_reports
from load_tester.report.terminal import print_result, report_console
from load_tester.result import sum_up
from load_tester.runner import Runner
from load_tester.scenarios import make_plan
from load_tester.standard_streams import TolerantStream, standard_streams
from load_tester.vehicle import Plan, PlanError

_SPARE_FILES = 64  # descriptors for everything but vehicles
# Exit statuses.
_FAILED, _USAGE_ERROR, _TESTER_ERROR, _OUTPUT_ERROR = 1, 2, 3, 4
_INTERRUPTED = 128 + signal.SIGINT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the load tester; return its exit status."""
    options = parse_options(arguments)
    hub = gevent.get_hub()
    # Handled below, so gevent need not print it.
    hub.NOT_ERROR = (*hub.NOT_ERROR, KeyboardInterrupt)
    stdout, stderr = standard_streams()
    try:
        plan = make_plan(options)
        _allow_files(plan.concurrency or len(plan.vehicles))
        gateway = wait_for_gateway(options, stderr.write)
        with open_reports(options, stdout) as reports:
            status, faults = _run(options, plan, gateway, reports, (stdout, stderr))
    except (PlanError, GatewayUnreachable, OutputError) as error:
        status, faults = _USAGE_ERROR, [str(error)]
    except KeyboardInterrupt:  # before the run, which handles the signal itself
        status, faults = _INTERRUPTED, ["interrupted"]
    except Exception:
        status, faults = (
            _TESTER_ERROR,
            [f"the tester itself failed:\n{traceback.format_exc().rstrip()}"],
        )
    for fault in faults:
        stderr.write(f"load_tester: {fault}\n")
    return status


def _allow_files(vehicles: int) -> None:
    """Raise the limit on open files to what this many vehicles at once may need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = vehicles + _SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))


def _run(
    options: Options,
    plan: Plan,
    gateway: Gateway,
    reports: Reports,
    streams: tuple[TolerantStream, TolerantStream],
) -> tuple[int, list[str]]:
    """Run; return the exit status and the outputs that could not be written."""
    stdout, stderr = streams
    # With the JSON on stdout, people read stderr.
    console = report_console(stderr if options.json == STDOUT else stdout)
    # Without markup: names of files and columns may contain brackets.
    console.print(f"{plan.scenario}: {plan.summary}", markup=False)
    for note in plan.notes:
        console.print(f"  {note}", markup=False)
    recorder = Recorder(options, plan, gateway, console)
    with _stopping(recorder.runner) as signals:
        recording = recorder.record()
        recording.interrupted = bool(signals)
        result = sum_up(recording)
        # Before the tables, whose reader may have left.
        faults = reports.write(result)
        print_result(console, result)
        if reports.page is not None:
            console.print(f"report: {reports.page}", markup=False)
    stdout.flush()
    reported = options.json == STDOUT or isinstance(stdout.fault, BrokenPipeError)
    if stdout.fault is not None and not reported:
        faults.append(f"standard output: {reason(stdout.fault)}; the rest was not written")
    if recording.interrupted:
        return 128 + signals[0], faults
    return (0 if result.passed else _FAILED) | (_OUTPUT_ERROR if faults else 0), faults


@contextlib.contextmanager
def _stopping(runner: Runner) -> Iterator[list[int]]:
    """Stop the run on Ctrl-C or SIGTERM: send no more vehicles, and disconnect those in flight.

    Yields the received signals.
    """
    received: list[int] = []

    def stop(number: int) -> None:
        if received:  # the second time: stop at once, without a report
            raise SystemExit(128 + number)
        received.append(number)
        runner.stop(disconnect=True)

    handlers = [
        gevent.signal_handler(number, stop, number) for number in (signal.SIGINT, signal.SIGTERM)
    ]
    try:
        yield received
    finally:
        for handler in handlers:
            handler.cancel()
