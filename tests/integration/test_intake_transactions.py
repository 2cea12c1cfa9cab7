"""Intake's transaction, and those of a replay, a backfill and a re-drive around it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import asyncpg
import pytest

from reconciler.ports.operator import NewAudit
from reconciler.ports.views import ReplayView
from store.dead_letters import DeadLetterStore
from store.intake import ConcurrentFold, IntakeTransaction, transaction
from store.replays import backfilling, taking

DEADLOCK = "DO $$ BEGIN RAISE EXCEPTION 'broken' USING ERRCODE = 'deadlock_detected'; END $$"
NOW = datetime(2026, 3, 2, tzinfo=UTC)
REPLAY = ReplayView(
    replay_id=1, kind="replay", actor="Ada", request={}, positions={}, done=0, total=0, counts={},
    started_at=NOW, updated_at=NOW, finished_at=None,
)  # fmt: skip
ENTRY = NewAudit(actor="Ada", action="re-drive", target="", detail={})

Open = Callable[[asyncpg.Pool], AbstractAsyncContextManager[IntakeTransaction]]


@pytest.mark.parametrize(
    "opened",
    [
        pytest.param(transaction, id="intake"),
        pytest.param(lambda pool: taking(pool, REPLAY), id="replay"),
        pytest.param(lambda pool: backfilling(pool, lambda: REPLAY), id="backfill"),
        pytest.param(lambda pool: DeadLetterStore(pool).redriving([1], ENTRY), id="re-drive"),
    ],
)
async def test_one_that_postgres_breaks_is_to_be_done_anew(
    pool: asyncpg.Pool, opened: Open
) -> None:
    """It does so to one of two that wait for each other: nothing is wrong with its work."""
    with pytest.raises(ConcurrentFold):
        async with opened(pool) as broken:
            await broken._connection.execute(DEADLOCK)
