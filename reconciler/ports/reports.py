"""The ledger and the feed as metrics and pages show them.

`store.reports` reads them; `metrics` and `console` show them.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class LedgerCount(NamedTuple):
    """Documents in one state; `oldest_seconds` since the first of them entered it."""

    realm_id: str
    action: str
    state: str
    reason: str
    documents: int
    oldest_seconds: float


class CompanyReport(NamedTuple):
    """A company as metrics show it; `token_expires_at` in epoch seconds, None without tokens."""

    realm_id: str
    name: str
    connected: bool
    token_expires_at: float | None


class ReplayReport(NamedTuple):
    """How far a replay or backfill is."""

    replay_id: int
    kind: str
    done: int
    total: int


class Report(msgspec.Struct, frozen=True):
    """The ledger at one instant; `counted_at` (epoch seconds) is when finished documents were counted.

    `oldest` is by realm and state (waiting, blocked, due, sending), `due` by realm and priority.
    """

    ledger: list[LedgerCount]
    oldest: dict[tuple[str, str], float]
    due: dict[tuple[str, str], int]
    unfinished: dict[tuple[str, str], int]
    oldest_unknown: dict[str, float]
    outbox_oldest_seconds: float
    outbox_pending: int
    open_dead_letters: int
    companies: list[CompanyReport]
    metered_reads: dict[str, int]
    replays: list[ReplayReport]
    read_at: float
    drifted: dict[tuple[str, str], int] = {}
    duplicated: int = 0
    counted_at: float = 0.0


class PartitionLag(NamedTuple):
    """How far reading of a partition is behind."""

    topic: str
    partition: int
    records: int
    seconds: float
