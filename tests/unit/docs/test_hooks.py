"""The hooks that git runs before a commit are the tools of `make check`."""

import re

import yaml

from local_stack.process import ROOT


def test_the_hooks_run_what_make_check_runs() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    check = re.search(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert check
    recipe = [line.strip().removeprefix("@") for line in check[1].splitlines()]
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = [hook["entry"].replace(".venv/bin", "$(BIN)") for hook in repository["hooks"]]
    assert hooks == recipe
