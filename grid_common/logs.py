"""Logs: one JSON line per event on stdout, or coloured text at a terminal.

JSON escapes whatever a caller sends, so that nobody can forge a line; the console renderer prints
values with `repr` for the same reason.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import IO, Any, AnyStr, Generic

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from grid_common.settings import ServiceSettings

Log = FilteringBoundLogger


def configure_logs(service: str, settings: ServiceSettings) -> Log:
    """Set up logging for this process and return the service's logger."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    as_json = settings.log_format == "json" or (
        settings.log_format == "auto" and not sys.stdout.isatty()
    )

    def add_service(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        event = structlog.processors.add_log_level(logger, method, event)
        event["service"] = service
        return event

    processors: list[Processor] = [add_service]
    if as_json:
        processors.append(_as_json)
        sink: _Sink[Any] = _Sink(sys.stdout.buffer, b"\n")
    else:
        processors += [
            structlog.processors.MaybeTimeStamper(fmt="iso", utc=True, key="time"),
            structlog.dev.ConsoleRenderer(timestamp_key="time"),
        ]
        sink = _Sink(sys.stdout, "\n")
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: sink,
        # Loggers are bound once per process; caching saves the lookup on each line.
        cache_logger_on_first_use=True,
    )
    # Libraries (gunicorn, and urllib3 in the load tester) log through the same pipeline.
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[_Forward()], force=True)
    log: Log = structlog.get_logger()
    return log


class _Sink(Generic[AnyStr]):
    """Writes lines, and drops those that cannot be written: the disk is full, or nobody reads.

    A failed log line must not turn a successful charge into an error, nor mark a substation as
    failed.
    """

    def __init__(self, stream: IO[AnyStr], end: AnyStr) -> None:
        self._stream: IO[AnyStr] = stream
        self._end: AnyStr = end

    def msg(self, line: AnyStr) -> None:
        try:  # `suppress` would take longer than the write
            self._stream.write(line + self._end)
            self._stream.flush()
        except OSError:
            pass

    debug = info = warning = error = critical = msg


class _Forward(logging.Handler):
    """Forwards records of the standard library's logging to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            structlog.get_logger().log(
                record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info
            )
        except Exception:  # a log line must never end a request
            self.handleError(record)


def _as_json(logger: WrappedLogger, method: str, event: EventDict) -> bytes:
    if "exc_info" in event:
        event = structlog.processors.format_exc_info(logger, method, event)
    if "time" not in event:  # an event may carry an earlier time
        event["time"] = datetime.now(UTC)
    # `default=str` tells orjson how to write unknown types.
    return orjson.dumps(event, default=str, option=orjson.OPT_UTC_Z)
