"""What the parts of one process of the service share, once `app` has opened it."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass

import asyncpg

from reconciler.metrics import Metrics
from reconciler.settings import Settings
from reconciler.workflows import WorkflowFile
from streams.connection import KafkaConnection


@dataclass(frozen=True)
class Process:
    """Settings, servers and observers; `owner` is its name in leases and offsets."""

    settings: Settings
    workflows: WorkflowFile
    owner: str
    pool: asyncpg.Pool
    kafka: KafkaConnection
    metrics: Metrics
    crash_point: Callable[[str], None]


def new_owner() -> str:
    """A name that no other process has."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
