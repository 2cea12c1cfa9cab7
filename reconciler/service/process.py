"""What the parts of one process of the service share, once `app` has opened it."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from reconciler.metrics import Metrics
from reconciler.settings import Settings
from reconciler.workflows import WorkflowFile
from store.pool import Pool
from streams.connection import KafkaConnection

Ready = Callable[[], None]
"""What a part calls once it works: until then whatever stopped it before may still stop it."""

Part = Callable[[Ready], Coroutine[Any, Any, None]]


def at_once(part: Callable[[], Coroutine[Any, Any, None]]) -> Part:
    """A part that needs nothing to work."""

    async def run(ready: Ready) -> None:
        ready()
        await part()

    return run


@dataclass(frozen=True)
class Process:
    """Settings, servers and observers; `owner` is its name in leases and offsets."""

    settings: Settings
    workflows: WorkflowFile
    owner: str
    pool: Pool
    kafka: KafkaConnection
    metrics: Metrics
    crash_point: Callable[[str], None]


def new_owner() -> str:
    """A name that no other process has."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
