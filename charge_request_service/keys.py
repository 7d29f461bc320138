"""Generate an API key: `python -m charge_request_service.keys [--operator] NAME >> FILE`.

The line for the file goes to stdout, the key to stderr. So the key is shown once, to whoever runs
this, and is stored nowhere.
"""

import sys

from charge_request_service.auth.keys import KeysError, make_key

_OPERATOR = "--operator"


def main(arguments: list[str]) -> int:
    """Generate a key for the given name; return the exit status."""
    operator = _OPERATOR in arguments
    arguments = [one for one in arguments if one != _OPERATOR]
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write(
            "usage: python -m charge_request_service.keys [--operator] NAME >> FILE\n"
            "Shows a new API key, and writes the line for CHARGE_API_KEYS_FILE to stdout.\n"
            "A key sees and stops its own sessions; an operator's key sees and stops all.\n"
        )
        return 2
    try:
        key, line = make_key(arguments[0], operator=operator)
    except KeysError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stderr.write(
        f"The key of {arguments[0]}, shown only once; callers send it as\n"
        f"  Authorization: Bearer {key}\n"
        "The line for CHARGE_API_KEYS_FILE:\n"
    )
    sys.stderr.flush()
    sys.stdout.write(f"{line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
