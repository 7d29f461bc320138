"""Logs of services in unit tests: made, captured, read."""

import json
from collections.abc import MutableMapping
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from grid_common.logs import Log, configure_logs
from grid_common.settings import ServiceSettings


def service_log(service: str = "balancer", **settings: str) -> Log:
    """Return a service's log with these settings, such as `log_format="json"`."""
    return configure_logs(service, ServiceSettings.model_validate({"port": 0, **settings}))


def captured_log() -> tuple[Any, list[MutableMapping[str, Any]]]:
    """Return a log, whatever other tests configured, and the list of what is logged to it."""
    capture = LogCapture()
    everything = structlog.make_filtering_bound_logger(0)
    log = structlog.wrap_logger(None, processors=[capture], wrapper_class=everything)
    return log, capture.entries


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return what a service has logged as JSON since this was asked last."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]
