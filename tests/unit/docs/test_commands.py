"""Every command that the pages print is found, and is run by a test or has a reason why not."""

from tests.docs.commands import classes, commands, of_text

_CLASSES = classes()

_PAGE = """\
Type `make run`, then `docker compose exec load_balancer
python -m x`, not `make` nor `docker-compose.yml`.

```sh
export A=1   # for good
curl -X POST a \\
  -d '{"b": 1}'
```

```console
$ curl c
{"d":
2}
$ curl e
```

```nginx
curl f;
```

    make g     # aligned
    neither

- a list

    make h
"""


def test_commands_are_found_wherever_they_are_printed() -> None:
    found = of_text(_PAGE)
    assert [(text, answer) for _, text, answer in found] == [
        ("make run", ""),
        ("docker compose exec load_balancer python -m x", ""),
        ("export A=1", ""),
        ("""curl -X POST a -d '{"b": 1}'""", ""),
        ("curl c", '{"d":\n2}\n'),
        ("curl e", ""),
        ("make g", ""),
        ("make h", ""),
    ]
    assert [_PAGE.count("\n", 0, at) + 1 for at, _, _ in found] == [1, 1, 5, 6, 11, 14, 21, 26]


def test_every_command_that_is_printed_is_run_or_has_a_reason_why_not() -> None:
    classed = _CLASSES.local | _CLASSES.compose | {*_CLASSES.swarm} | _CLASSES.not_run
    unknown = [
        f"{command.page}:{command.line}: {command.text}"
        for command in commands()
        if command.text not in classed
    ]
    assert unknown == [], "say in tests/docs/commands.toml where these are run, or why they are not"


def test_nothing_is_classed_that_is_not_printed() -> None:
    printed = {command.text for command in commands()}
    assert _CLASSES.local - printed == set()
    assert _CLASSES.compose - printed == set()
    assert {*_CLASSES.swarm} - printed == set()
    assert _CLASSES.not_run - printed == set()


def test_no_command_is_both_run_and_not() -> None:
    run = _CLASSES.local | _CLASSES.compose | {*_CLASSES.swarm}
    assert run & _CLASSES.not_run == set()
