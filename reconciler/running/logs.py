"""Structured logs: one event per line, with stable names. Configured once, when a command reads its settings.

Bodies, tokens and passwords are never given to a logger; `Redact` is the second line of defence.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET_NAMES = re.compile(r"token|secret|password|authorization|dsn", re.IGNORECASE)
_CREDENTIALS = re.compile(r"(://[^:/@\s]+:)[^@\s]+@|(Bearer\s+)\S+", re.IGNORECASE)


def redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Blank what looks like a secret, by its name or its form."""
    for name, value in event.items():
        if isinstance(value, str):
            if _SECRET_NAMES.search(name):
                event[name] = "***"
            else:
                event[name] = _CREDENTIALS.sub(
                    lambda m: f"{m[1] or m[2]}***{'@' if m[1] else ''}", value
                )
    return event


def configure(log_format: str, level: str) -> None:
    """Send events to standard error, as JSON lines or for reading."""
    last: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
