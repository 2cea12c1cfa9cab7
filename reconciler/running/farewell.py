"""Telling the store that a part ends. Called by `dispatcher` and `relay`."""

from __future__ import annotations

from collections.abc import Awaitable

import structlog

_log = structlog.get_logger("reconciler.farewell")


async def quietly(work: Awaitable[None]) -> None:
    """The store may be gone too when a part ends; what it holds by a lease then runs out."""
    try:
        await work
    except Exception as error:
        _log.warning("not noted", error=repr(error))
