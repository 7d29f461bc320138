"""Run a substation: `python -m substation_service`."""

from typing import Any

from grid_common.server import Server
from substation_service.journal_file import check_journal
from substation_service.settings import Settings

settings = Settings.load_or_exit("substation_service")


def _create_app() -> Any:
    from substation_service.app import create_app  # after gevent has patched this process

    return create_app(settings)


check_journal(settings.journal)
Server("substation", settings, _create_app).run()
