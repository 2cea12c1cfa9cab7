"""How far each partition was read, and by whom it may be read on.

Called by `reconciler.adapters` when partitions are assigned. Claiming bumps the partition's epoch:
from then on the former owner's batches are refused, whatever it still believes (`IntakeTransaction.advance`).
"""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from reconciler.ports.intake import PartitionClaim


async def claim_partitions(
    pool: asyncpg.Pool,
    group_id: str,
    owner: str,
    partitions: Sequence[tuple[str, int, str | None]],
) -> list[PartitionClaim]:
    """Take over partitions, given as (topic, partition, Kafka's topic id or None)."""
    rows = await pool.fetch(
        """
        INSERT INTO offsets AS o (group_id, topic, partition, topic_id, epoch, owner)
        SELECT $1, n.topic, n.partition, n.topic_id, 1, $2
          FROM unnest($3::text[], $4::int[], $5::text[]) AS n(topic, partition, topic_id)
         ORDER BY n.topic, n.partition
        ON CONFLICT (group_id, topic, partition) DO UPDATE
           SET epoch = o.epoch + 1, owner = excluded.owner, updated_at = now(),
               topic_id = coalesce(o.topic_id, excluded.topic_id)
        RETURNING topic, partition, epoch, next_offset, topic_id
        """,
        group_id,
        owner,
        [topic for topic, _, _ in partitions],
        [partition for _, partition, _ in partitions],
        [topic_id for _, _, topic_id in partitions],
    )
    return [PartitionClaim(*row) for row in rows]


async def superseded(
    pool: asyncpg.Pool, group_id: str, partitions: Sequence[tuple[str, int, int]]
) -> list[tuple[str, int]]:
    """Those of (topic, partition, epoch) that are at another epoch by now, or gone."""
    rows = await pool.fetch(
        """
        SELECT n.topic, n.partition
          FROM unnest($2::text[], $3::int[], $4::bigint[]) AS n(topic, partition, epoch)
          LEFT JOIN offsets AS o ON o.group_id = $1 AND o.topic = n.topic
                                AND o.partition = n.partition
         WHERE o.epoch IS DISTINCT FROM n.epoch
        """,
        group_id,
        [topic for topic, _, _ in partitions],
        [partition for _, partition, _ in partitions],
        [epoch for _, _, epoch in partitions],
    )
    return [(topic, partition) for topic, partition in rows]


async def forget_offsets(pool: asyncpg.Pool, group_id: str, topics: Sequence[str]) -> int:
    """Read these topics again from where the start policy says; answers how many partitions.

    Bumps the epochs, so that whoever reads them now is fenced, and begins anew within seconds.
    """
    status: str = await pool.execute(
        """
        UPDATE offsets SET next_offset = NULL, topic_id = NULL, epoch = epoch + 1, updated_at = now()
         WHERE group_id = $1 AND topic = ANY($2::text[])
        """,
        group_id,
        list(topics),
    )
    return int(status.rsplit(" ", 1)[1])
