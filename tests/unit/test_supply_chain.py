"""The checks of dependencies cover all that there are."""

import re
import tomllib
from importlib.metadata import version
from typing import Any

import yaml
from packaging.requirements import Requirement

from local_stack.process import ROOT


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / ".github" / name).read_text())


def supported() -> list[str]:
    """List the Pythons that the locks are checked for."""
    found = re.search(r"^PYTHONS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found
    return found[1].split()


def test_ci_runs_the_one_script_on_each_python_that_is_supported() -> None:
    job = read("workflows/ci.yml")["jobs"]["run"]
    assert job["strategy"]["matrix"]["python"] == supported()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands == ['sudo env "PATH=$PATH" PYTHON=python3 .ci/run']
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={supported()[0]}"


def test_a_workflow_has_no_right_but_to_read_the_code_and_pins_what_it_uses() -> None:
    for file in sorted((ROOT / ".github" / "workflows").iterdir()):
        workflow = read(f"workflows/{file.name}")
        assert workflow["permissions"] == {}, file
        for job in workflow["jobs"].values():
            assert job["permissions"] == {"contents": "read"}, file
            for step in job["steps"]:
                if "uses" in step:
                    assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"]), step


def test_dependabot_watches_every_kind_of_dependency() -> None:
    watched = {one["package-ecosystem"]: one for one in read("dependabot.yml")["updates"]}
    assert set(watched) == {"pip", "docker", "docker-compose", "npm", "github-actions"}
    assert watched["docker"]["directories"] == [
        f"/{file.parent.name}" for file in sorted(ROOT.glob("*/Dockerfile"))
    ]


def test_flask_is_bounded_to_the_release_whose_private_names_are_used() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    flask = next(one for one in map(Requirement, project["dependencies"]) if one.name == "flask")
    assert version("flask") in flask.specifier
    assert "3.2.0" not in flask.specifier  # has other contexts


def test_every_locked_library_has_hashes() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        libraries = re.split(r"^(?=[a-z])", (ROOT / name).read_text(), flags=re.MULTILINE)[1:]
        assert len(libraries) > 20
        for library in libraries:
            assert re.match(r"[a-z0-9.-]+==\S+", library), library
            assert "--hash=sha256:" in library, library
