"""Export charge detail records: `python -m charge_request_service.sessions.export csv`.

It reads the whole ledger in LEDGER_URL, newest first; a gateway may use the ledger meanwhile.
"""

import argparse
import os
import sys

import orjson

from charge_request_service.sessions.database import Database
from charge_request_service.sessions.documents import cdr_of, csv_of
from charge_request_service.sessions.errors import LedgerUnavailable
from charge_request_service.sessions.ledger_url import read_ledger_url
from charge_request_service.sessions.listing import read_page
from charge_request_service.sessions.query import read_query
from grid_common.api.problems import BadRequest

_ROWS = 1000


def main() -> int:
    """Write the records to stdout; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m charge_request_service.sessions.export",
        description="Write the charge detail records of ended sessions to stdout, newest "
        "first, from the ledger in LEDGER_URL. A gateway may use the ledger meanwhile.",
    )
    parser.add_argument("format", choices=("csv", "json"), help="json: one record per line")
    for name in ("since", "until"):
        parser.add_argument(f"--{name}", help="a time such as 2026-11-26T16:00:00Z")
    options = parser.parse_args()
    given = {name: value for name in ("since", "until") if (value := getattr(options, name))}
    try:
        query = read_query(given, owner=None, most=_ROWS, records=True)
        database = Database(read_ledger_url(os.environ.get("LEDGER_URL", "")))
    except (BadRequest, ValueError) as error:
        parser.error(str(error))
    if database.in_memory:
        parser.error("LEDGER_URL must name a ledger that is not in memory")
    is_first = True
    try:
        with database.reader() as connection:
            while True:
                page = read_page(connection, query)
                if options.format == "csv":
                    sys.stdout.write(csv_of(page.records, header=is_first))
                else:
                    for record in page.records:
                        sys.stdout.write(f"{orjson.dumps(cdr_of(record)).decode()}\n")
                connection.rollback()  # each page is a new snapshot: nothing waits for this export
                if page.next is None:
                    return 0
                query, is_first = query._replace(after=page.next), False
    except LedgerUnavailable as error:
        sys.stderr.write(f"the ledger cannot be read: {error}\n")
        return 1
    except BrokenPipeError:  # the reader of the pipe has closed it
        sys.stderr.close()
        return 0


if __name__ == "__main__":
    sys.exit(main())
