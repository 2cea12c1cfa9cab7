"""How far each partition was read, and by whom it may be read on.

Called by `reconciler.service.adapters` when partitions are assigned. Claiming bumps the partition's epoch:
from then on the former owner's batches are refused, whatever it still believes (`IntakeTransaction.advance`).
"""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from reconciler.ports.intake import PartitionClaim
from store.rows import affected


async def claim_partitions(
    pool: asyncpg.Pool,
    group_id: str,
    owner: str,
    partitions: Sequence[tuple[str, int, str | None, int]],
    starts: Sequence[tuple[str, int, int]] = (),
) -> list[PartitionClaim]:
    """Take over partitions, given as (topic, partition, Kafka's topic id or None, its beginning).

    Those that have no offset get it in the same statement, so that a partition which stays idle
    starts at the same one after every restart: the beginning, or of a topic that this group never
    read what *starts* says. That is noted at once for all its partitions, as (topic, partition,
    offset), for those of other members too; whoever is first decides. A partition that a topic gets
    later begins at its beginning.
    """
    at = {(topic, partition): offset for topic, partition, offset in starts}
    claimed = {(topic, partition) for topic, partition, _, _ in partitions}
    ids = {topic: topic_id for topic, _, topic_id, _ in partitions}
    rows = [
        (topic, partition, topic_id, beginning, at.get((topic, partition), beginning), 1)
        for topic, partition, topic_id, beginning in partitions
    ]
    rows += [
        (*key, ids.get(key[0]), offset, offset, 0)
        for key, offset in at.items()
        if key not in claimed
    ]
    written = await pool.fetch(
        """
        INSERT INTO offsets AS o (group_id, topic, partition, topic_id, next_offset, epoch, owner)
        SELECT $1, n.topic, n.partition, n.topic_id,
               CASE WHEN k.is_known THEN n.beginning ELSE n.start END, n.claims,
               CASE n.claims WHEN 1 THEN $2 ELSE '' END
          FROM unnest($3::text[], $4::int[], $5::text[], $6::bigint[], $7::bigint[], $8::int[])
               AS n(topic, partition, topic_id, beginning, start, claims)
         CROSS JOIN LATERAL (
               SELECT EXISTS (SELECT FROM offsets WHERE group_id = $1 AND topic = n.topic)) AS k(is_known)
         WHERE n.claims = 1 OR NOT k.is_known
         ORDER BY n.topic, n.partition
        ON CONFLICT (group_id, topic, partition) DO UPDATE
           SET epoch = o.epoch + excluded.epoch, updated_at = now(),
               owner = CASE excluded.epoch WHEN 1 THEN excluded.owner ELSE o.owner END,
               topic_id = coalesce(o.topic_id, excluded.topic_id),
               next_offset = coalesce(o.next_offset, excluded.next_offset)
        RETURNING topic, partition, epoch, next_offset, topic_id
        """,
        group_id,
        owner,
        *map(list, zip(*rows, strict=True)),
    )
    return [PartitionClaim(*row) for row in written if (row[0], row[1]) in claimed]


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
    """Read these topics again from their beginning; answers how many partitions.

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
    return affected(status)
