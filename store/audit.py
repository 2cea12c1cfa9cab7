"""What people did: written in the transaction of what they did, read for the console.

Called by `operator`, `dead_letters` and `replays`. Entries are only ever added.
"""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import msgspec

from reconciler.operator.ports import NewAudit
from reconciler.operator.views import AuditEntry
from store.pool import Connection

_encode = msgspec.json.Encoder().encode


async def write(connection: Connection, entries: Sequence[NewAudit]) -> None:
    """Add entries."""
    await connection.execute(
        """
        INSERT INTO audit_log (actor, action, target, detail)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::json[])
        """,
        [entry.actor for entry in entries],
        [entry.action for entry in entries],
        [entry.target for entry in entries],
        [_encode(entry.detail).decode() for entry in entries],
    )


async def read(pool: asyncpg.Pool, target: str, limit: int) -> list[AuditEntry]:
    """Newest first; of everything when *target* is ""."""
    rows = await pool.fetch(
        """
        SELECT at, actor, action, target, detail FROM audit_log
         WHERE $1 = '' OR target = $1 ORDER BY audit_id DESC LIMIT $2
        """,
        target,
        limit,
    )
    return [
        AuditEntry(
            at=row[0], actor=row[1], action=row[2], target=row[3],
            detail=msgspec.json.decode(row[4]),
        )
        for row in rows
    ]  # fmt: skip
