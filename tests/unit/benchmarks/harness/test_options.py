"""The folder for results, looked at before a measurement begins."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.comparison import options as comparison
from benchmarks.overhead import options as overhead
from benchmarks.soak import options as soak

COMMANDS = pytest.mark.parametrize(
    "parse", [soak.parse, comparison.parse, overhead.parse], ids=["soak", "comparison", "overhead"]
)
Parse = Callable[[list[str]], object]


@COMMANDS
def test_a_folder_that_cannot_be_written_is_reported_at_once(
    parse: Parse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(SystemExit) as ended:
        parse(["--out", str(file / "folder")])
    assert ended.value.code == 2
    reported = capsys.readouterr().err
    assert f"--out: {file / 'folder'}: not a directory; name a folder to write to" in reported


@COMMANDS
def test_a_folder_that_is_missing_is_made_and_left_empty(parse: Parse, tmp_path: Path) -> None:
    folder = tmp_path / "some" / "folder"
    parse(["--out", str(folder)])
    assert list(folder.iterdir()) == []
