"""The command line: a subcommand for each scenario, with the options that it accepts."""

import argparse
import dataclasses
import difflib
import sys
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NoReturn

from load_tester.demand import MIXES
from load_tester.options import SCENARIOS, STDOUT, STRESS_DELAY_S, Option, Options
from load_tester.replay import DEFAULT_KWH_PER_S, GAP_LIMIT

_PROGRAM = "python -m load_tester"
_OLD_FLAGS = {"--site-metrics": "--substation-metrics"}
_DESCRIPTION = """\
Send electric vehicles to the grid, watch where they go, and check the grid's counters.

Vehicles arrive when they are due, whatever is still charging (open loop), and every time is
measured from then. The report has responses by status, times, vehicles and peak load by
substation, the largest imbalance, whether each choice was the least loaded substation, and a
comparison of the responses with the grid's own ledger, counters and meters.
"""
_EPILOG = """\
examples:
  python -m load_tester                                   100 vehicles at 10 a second
  python -m load_tester rush-hour --report rush-hour.html
  python -m load_tester --vehicles 200 --rate 20 --kwh 10
  python -m load_tester spike --vehicles 100 --share 1 --kwh 10
                                                          100 vehicles at once
  python -m load_tester replay --trace sessions.csv --vehicles 300
  python -m load_tester stress --max-p99-delay 2
  python -m load_tester --idempotent --async --vehicles 300
                                                          sessions that outlive their requests
  python -m load_tester callers --concurrency 32 --vehicles 5000 --kwh 0.001 --no-decisions
                                                          throughput

outputs:
  Each is written to a temporary file when the run is over, and then renamed: the old file stays
  until then. If one cannot be written, the others still are. A reader that leaves, as `| head -1`
  does, ends only its own output.

exit status:
  0  every vehicle charged (--max-lost may be lost), thresholds met, counters in order
  1  vehicles lost, a threshold missed, or counters that do not add up
  2  a wrong option or file, or a gateway that cannot be reached: nothing was sent
  3  an error in the load tester itself
  4  as 0, but an output could not be written; 5: as 1, and an output could not be written
  130 (Ctrl-C), 143 (SIGTERM)  stopped: sends no more, disconnects, reports what was done
"""
_TRACES = f"""\
traces:
  A CSV file with a header and one session per row. The arrival is in ISO 8601, a date such as
  20190301, or in seconds. Columns are recognised in any spelling, such as "Energy (Wh)". A name
  that ends in Wh, kWh or MWh states the unit; the default is kWh. Rows that cannot be read, or
  whose energy is not over 0, are skipped and counted. A decimal comma is accepted if it cannot be a
  thousands separator. Properties of vehicles are read if they exist: maximum power (kW, or W if the
  name ends so), battery, and state of charge (0 to 1, or percent).
  Without --speed, idle gaps over {GAP_LIMIT:g} times the median gap are shortened to that, and the
  speed is chosen so that the replay requests {DEFAULT_KWH_PER_S:g} kWh a second, five sixths of
  what the default grid can deliver, or lasts for --duration. Vehicles that take less than 50 kW
  count more, in proportion. The report says what was chosen.
  With --speed each gap is kept.
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose error messages point to the help."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"load_tester: {message}\nSee `{_PROGRAM} --help`.\n")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser: of all options, and of each scenario's after its name."""
    looks: dict[str, Any] = {
        "formatter_class": argparse.RawDescriptionHelpFormatter,
        "allow_abbrev": False,
        # Options has the defaults; here an option that was not given leaves no trace.
        "argument_default": argparse.SUPPRESS,
    }
    parser = _Parser(
        prog=_PROGRAM,
        usage="%(prog)s [SCENARIO] [options]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        **looks,
    )
    scenarios = parser.add_subparsers(
        title="scenarios, each with defaults for the default grid, and with its own --help",
        dest="scenario",
        metavar="SCENARIO",
    )
    parser.add_argument(
        "--scenario", dest="old_scenario", choices=SCENARIOS, help=argparse.SUPPRESS
    )
    _add_options(parser, SCENARIOS)
    for name, scenario in SCENARIOS.items():
        text = scenario.text
        text += f" (default: {scenario.defaults})" if scenario.defaults else ""
        subparser = scenarios.add_parser(
            name,
            help=text,
            description=f"{name}: {text}",
            epilog=_TRACES if name == "replay" else "",
            usage=f"{_PROGRAM} {name} [options]",
            **looks,
        )
        _add_options(subparser, {name})
    return parser


def _declared() -> Iterator[tuple[str, str, Option]]:
    """Yield each option's field of Options, flag and declaration."""
    for one in dataclasses.fields(Options):
        if option := one.metadata.get("option"):
            yield one.name, option.flag or f"--{one.name.replace('_', '-')}", option


def _add_options(parser: argparse.ArgumentParser, scenarios: Collection[str]) -> None:
    """Add all options; those of other scenarios are hidden, for parse_options to report."""
    groups: dict[str, Any] = {}
    defaults = Options()
    for name, flag, option in _declared():
        default = getattr(defaults, name)
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        fits = any(scenario in option.fits for scenario in scenarios)
        text = option.text.format(default=default) if fits else argparse.SUPPRESS
        more: dict[str, Any] = {"action": "store_false" if default else "store_true"}
        if option.kind is not None:
            read, metavar, choices = option.kind
            more = {"type": read, "metavar": metavar, "choices": choices}
        groups[option.group].add_argument(flag, dest=name, help=text, **more)


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """Parse the command line; an error ends the program with status 2 and a message."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = build_parser()
    arguments = list(_renamed(arguments))
    _check_names(parser, arguments)
    given = vars(parser.parse_args(arguments))
    scenario = _scenario(parser, given)
    for name, flag, option in _declared():
        if name in given and scenario not in option.fits:
            others = " or ".join(other for other in SCENARIOS if other in option.fits)
            parser.error(
                f"{flag}: the scenario {scenario} does not accept it; it goes with {others}"
            )
    options = Options(**{**given, "scenario": scenario})
    for is_wrong, fault in _contradictions(options, given):
        if is_wrong:
            parser.error(fault)
    if options.idempotent and "patience" not in given:
        options = dataclasses.replace(options, patience=options.timeout)
    if scenario == "stress" and options.max_p99 is None and options.max_p99_delay is None:
        # It needs a service level that can break.
        options = dataclasses.replace(options, max_p99_delay=STRESS_DELAY_S)
    return options


def _renamed(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the arguments with options under their present names; warn of old ones."""
    for argument in arguments:
        flag, equals, value = argument.partition("=")
        if new := _OLD_FLAGS.get(flag):
            _warn(f"{flag}: is deprecated and will be removed; use {new}")
            argument = f"{new}{equals}{value}"
        yield argument


def _warn(fault: str) -> None:
    sys.stderr.write(f"load_tester: {fault}\n")


def _check_names(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Report an unknown option, whose value argparse would take for a scenario."""
    known = ["--", "--help", "--scenario", *(flag for _, flag, _ in _declared())]
    for index, argument in enumerate(arguments):
        flag = argument.partition("=")[0]
        if flag.startswith("--") and flag not in known:
            near = difflib.get_close_matches(flag, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            parser.error(f"unrecognized arguments: {' '.join(arguments[index:])}{hint}")


def _scenario(parser: argparse.ArgumentParser, given: dict[str, Any]) -> str:
    """Return the scenario: as named, or the one that the options belong to."""
    asked, old = given.pop("scenario", None), given.pop("old_scenario", None)
    if old is not None:
        if asked is not None:
            parser.error(f"--scenario {old}: {asked} is a scenario, too; give one of them")
        _warn(
            f"--scenario {old}: is deprecated and will be removed; give {old} as the first argument"
        )
    implied = "callers" if "concurrency" in given else "replay" if "trace" in given else "steady"
    return asked or old or implied


def _contradictions(options: Options, given: Collection[str]) -> Iterator[tuple[bool, str]]:
    """Yield whether options contradict each other, and what to do then."""
    yield (
        options.scenario == "replay" and options.trace is None,
        "replay: needs sessions to replay; give --trace FILE.csv",
    )
    yield (
        {"vehicles", "rate", "duration"} <= set(given),
        "--duration: follows from --vehicles and --rate; give two of the three",
    )
    yield (
        {"speed", "duration"} <= set(given),
        "--duration: follows from --speed; give one of the two",
    )
    if options.mix in MIXES:
        yield (
            options.kwh is not None,
            f"--kwh: the mix {options.mix} draws energies, too; give one of the two",
        )
        yield (
            options.scenario == "replay",
            f"--mix {options.mix}: the trace has properties of its vehicles; use none to replay "
            "only energies, or omit the option",
        )
    yield (
        options.idempotent and "patience" in given and options.patience == 0,
        "--patience 0: with --idempotent vehicles retry; give the number of seconds, or omit the "
        "option",
    )
    for flag, path in (("--report", options.report), ("--each", options.each)):
        yield path == STDOUT, f"{flag} -: needs a file; name one (only --json accepts -)"
