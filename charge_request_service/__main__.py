"""Run the gateway: `python -m charge_request_service`."""

import sys
from typing import Any

from charge_request_service.sessions.errors import LedgerUnusable
from charge_request_service.sessions.ledger_url import read_ledger_url
from charge_request_service.sessions.preparation import prepare
from charge_request_service.settings import Settings
from grid_common.server import Server

# A database server that is started, or restarted, together with the gateway is up within seconds.
_LEDGER_PATIENCE_S = 30.0


def _print(text: object) -> None:
    sys.stderr.write(f"charge_request_service: setting LEDGER_URL: {text}\n")


settings = Settings.load_or_exit("charge_request_service")
try:
    prepare(
        read_ledger_url(settings.ledger_url),
        patience_s=_LEDGER_PATIENCE_S,
        on_wait=lambda why: _print(f"{why}; trying again for {_LEDGER_PATIENCE_S:.0f} s"),
    )
except LedgerUnusable as error:
    _print(error)
    sys.exit(2)


def _create_app() -> Any:
    from charge_request_service.app import create_app  # after gevent has patched this process

    return create_app(settings)


Server("gateway", settings, _create_app).run()
