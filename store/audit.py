"""What people did: written in the transaction of what they did, read for the console.

Called by `operator`, `dead_letters` and `hubspot_problems`. Entries are only ever added.
"""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import msgspec

from reconciler.ports.operator import NewAudit
from reconciler.ports.views import AuditEntry
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


async def read(
    pool: asyncpg.Pool, target: str, limit: int, after: int | None = None
) -> list[AuditEntry]:
    """Newest first, before an id; of everything when *target* is ""."""
    rows = await pool.fetch(
        """
        SELECT audit_id, at, actor, action, target, detail FROM audit_log
         WHERE ($1 = '' OR target = $1) AND ($3::bigint IS NULL OR audit_id < $3)
         ORDER BY audit_id DESC LIMIT $2
        """,
        target,
        limit,
        after,
    )
    return [
        AuditEntry(
            audit_id=row[0], at=row[1], actor=row[2], action=row[3], target=row[4],
            detail=msgspec.json.decode(row[5]),
        )
        for row in rows
    ]  # fmt: skip
