"""Run the balancer: `python -m load_balancer`."""

from typing import Any

from grid_common.server import Server
from load_balancer.settings import Settings

settings = Settings.load_or_exit("load_balancer")


def _create_app() -> Any:
    from load_balancer.app import create_app  # after gevent has patched this process

    return create_app(settings)


Server("balancer", settings, _create_app).run()
