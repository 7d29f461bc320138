"""Generate an API key: `python -m charge_request_service.keys [--operator] NAME >> FILE`.

The line for the file goes to stdout, the key to stderr. So the key is shown once, to whoever runs
this, and is stored nowhere.
"""

import argparse
import sys

from charge_request_service.auth.keys import KeysError, make_key


def main() -> int:
    """Generate a key for the given name; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m charge_request_service.keys",
        usage="%(prog)s [--operator] NAME >> FILE",
        description="Show a new API key, and write its line for CHARGE_API_KEYS_FILE to stdout.",
    )
    parser.add_argument("name", metavar="NAME", help="name of the key's holder")
    parser.add_argument(
        "--operator",
        action="store_true",
        help="the key sees and stops everybody's sessions, not only its own",
    )
    options = parser.parse_args()
    try:
        key, line = make_key(options.name, operator=options.operator)
    except KeysError as error:
        parser.error(str(error))
    sys.stderr.write(
        f"The key of {options.name}, shown only once; callers send it as\n"
        f"  Authorization: Bearer {key}\n"
        "The line for CHARGE_API_KEYS_FILE:\n"
    )
    sys.stderr.flush()
    sys.stdout.write(f"{line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
