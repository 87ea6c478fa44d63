"""One JSON object a line, with a message, a level, a stable action and ids."""

from __future__ import annotations

import logging
import sys

import structlog

Logger = structlog.stdlib.BoundLogger


def configure_logging(service: str, level: str = "INFO") -> Logger:
    """Send structured logs to standard output as JSON lines and return the service's logger.

    Every line carries `message`, `level`, `timestamp`, `service` and, by convention, `action`.
    """
    chosen = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    logging.basicConfig(format="%(message)s", stream=sys.stdout, level=chosen, force=True)
    for noisy in ("httpx", "httpcore", "websockets", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(chosen),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    return structlog.get_logger(service).bind(service=service)


def get_logger(name: str) -> Logger:
    """Return a logger bound to `name`."""
    return structlog.get_logger(name).bind(service=name)
