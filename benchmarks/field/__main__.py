"""Compares the substation's model with the field; writes the report and its charts."""

import csv
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.field import picture, report
from benchmarks.field.sessions import CALTECH, EPFL, read_caltech, read_epfl
from benchmarks.harness.options import Command
from local_stack.process import ROOT

DATA = ROOT.parent / "shared" / "data"
REPORT = ROOT / "benchmarks" / "results" / "field.md"
THEIRS = ROOT / "benchmarks" / "results" / "field_acnportal.csv"
PICTURES = {
    ROOT / "docs" / "images" / "power-sharing.svg": picture.sharing,
    ROOT / "docs" / "images" / "power-taper.svg": picture.taper,
}
# By limit in kW: acnportal's step of the shared current in amperes, and its period in minutes;
# finer if less is shared.
_RUNS = {25.0: (0.05, 5), 50.0: (0.1, 5)}
_ENVIRONMENT = ROOT / ".acnportal"
_LOCK = Path(__file__).with_name("acnportal.txt")


def main(arguments: list[str] | None = None) -> int:
    """Compare; parts without their data file are skipped with a message."""
    parser = Command(
        "field",
        f"Compare the substation's model with the field; write {REPORT.name}.",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=DATA,
        help=f"directory with {EPFL} and {CALTECH} (sources: docs/demand.md)",
    )
    parser.add_argument(
        "--acnportal",
        action="store_true",
        help="install acnportal in a separate environment and run it again, some 15 minutes; "
        f"by default its energies are read from {THEIRS.name}",
    )
    options = parser.parse_args(arguments)
    for file, draw in PICTURES.items():
        file.write_text(draw(), encoding="utf-8")
    if options.acnportal and (options.data / CALTECH).exists():
        _run_acnportal(options.data / CALTECH)
    missing = [name for name in (EPFL, CALTECH) if not (options.data / name).exists()]
    for name in missing:
        print(f"skipped: {name} is not in {options.data}; name its folder with --data")
    if not missing:
        REPORT.write_text(written(options.data), encoding="utf-8")
        print(f"{REPORT.relative_to(ROOT)} is written")
    return 0


def written(data: Path) -> str:
    """Return the report from a directory of sessions."""
    lines = [
        "# The substation's model beside the field",
        "",
        "Written by `make field`. What it means: [Power](../../docs/power.md#how-realistic-it-is).",
        "",
        *report.epfl(read_epfl(data / EPFL)),
        *report.caltech(read_caltech(data / CALTECH), read_theirs()),
    ]
    return "\n".join(lines).rstrip() + "\n"


def read_theirs() -> Mapping[float, Mapping[str, float]]:
    """Read acnportal's energies: kWh by session, by limit in kW."""
    with THEIRS.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    return {
        limit_kw: {row["session_id"]: float(row[_column(limit_kw)]) for row in rows}
        for limit_kw in _RUNS
    }


def _run_acnportal(file: Path) -> None:
    python = _ENVIRONMENT / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(_ENVIRONMENT)], check=True)
    install = ["-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(_LOCK)]
    subprocess.run([str(python), *install], check=True)
    found: dict[float, dict[str, str]] = {}
    for limit_kw, (increment_a, period_min) in _RUNS.items():
        print(f"acnportal at {limit_kw:g} kW, in periods of {period_min} min", flush=True)
        program = ["-m", "benchmarks.field.acnportal_program", str(file)]
        options = ["--limit-kw", f"{limit_kw:g}", "--increment-a", f"{increment_a:g}"]
        options += ["--period-min", f"{period_min}"]
        done = subprocess.run(
            [str(python), *program, *options],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        found[limit_kw] = dict(csv.reader(done.stdout.splitlines()))
    with THEIRS.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(["session_id", *map(_column, found)])
        for name in found[next(iter(found))]:
            writer.writerow([name, *(kwh[name] for kwh in found.values())])


def _column(limit_kw: float) -> str:
    return f"kwh_at_{limit_kw:g}_kw"


if __name__ == "__main__":
    sys.exit(main())
