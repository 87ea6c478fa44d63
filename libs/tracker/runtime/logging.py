"""One JSON object a line, with a message, a level, a stable action and ids."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

from tracker.runtime.imports import without

# For tracebacks on a terminal, at 7 MB in every process of the fleet; ours are JSON.
with without("rich"):
    import structlog

Logger = structlog.stdlib.BoundLogger


def configure_logging(service: str, level: str = "INFO", stream: TextIO | None = None) -> Logger:
    """Send logs to standard output, or to `stream`, as JSON lines and return the service's logger.

    Every line carries `message`, `level`, `timestamp`, `service` and, by convention, `action`; what the
    libraries log and warn of has the action `library_log` and the library's name as `logger`.
    """
    chosen = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    shared = [structlog.stdlib.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]

    def attributed(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {"service": service, "action": "library_log", **event}

    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name, attributed],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.EventRenamer("message"),
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=chosen, force=True)
    logging.captureWarnings(True)
    for noisy in ("httpx", "httpcore", "websockets", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(chosen),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    return structlog.get_logger(service).bind(service=service)


def get_logger(name: str) -> Logger:
    """Return a logger bound to `name`."""
    return structlog.get_logger(name).bind(service=name)
