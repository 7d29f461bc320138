"""Run the gateway: `python -m charge_request_service`."""

from typing import Any

from charge_request_service.settings import Settings
from grid_common.server import Server

settings = Settings.load_or_exit("charge_request_service")


def _create_app() -> Any:
    from charge_request_service.app import create_app  # after gevent has patched this process

    return create_app(settings)


Server("gateway", settings, _create_app).run()
