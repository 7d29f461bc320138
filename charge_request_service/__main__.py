"""Run the gateway: `python -m charge_request_service`."""

import sys
from typing import Any

from charge_request_service.sessions.database import prepare, read_ledger_url
from charge_request_service.sessions.errors import LedgerUnusable
from charge_request_service.settings import Settings
from grid_common.server import Server

settings = Settings.load_or_exit("charge_request_service")
try:
    prepare(read_ledger_url(settings.ledger_url))
except LedgerUnusable as error:
    sys.stderr.write(f"charge_request_service: setting LEDGER_URL: {error}\n")
    sys.exit(2)


def _create_app() -> Any:
    from charge_request_service.app import create_app  # after gevent has patched this process

    return create_app(settings)


Server("gateway", settings, _create_app).run()
