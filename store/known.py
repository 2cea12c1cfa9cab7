"""Digests of records that were taken in, by their position; what they mean `reconciler.known` knows.

Called by intake. Rows only ever grow in number: eight bytes a record, which is little beside what
the record itself left.
"""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from reconciler.known import LONGEST_RUN
from reconciler.ports import KnownRun, Span
from store.pool import Connection


class KnownStore:
    """Bound to the pool."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def find(self, reading: str, spans: Sequence[Span]) -> list[KnownRun]:
        """The runs that overlap these spans and were read in the same way."""
        if not spans:
            return []
        rows = await self._pool.fetch(
            """
            SELECT r.topic, r.topic_id, r.partition, r.from_offset, r.next_offset, r.reading, r.digests
              FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::bigint[])
                   AS s(topic, topic_id, partition, from_offset, next_offset)
              JOIN known_records AS r
                ON r.topic = s.topic AND r.topic_id = s.topic_id AND r.partition = s.partition
               AND r.reading = $6 AND r.from_offset < s.next_offset
               AND r.from_offset > s.from_offset - $7 AND r.next_offset > s.from_offset
            """,
            *(list(column) for column in zip(*spans, strict=True)),
            reading,
            LONGEST_RUN,
        )
        return [KnownRun(Span(*row[:5]), row[5], row[6]) for row in rows]


async def save(connection: Connection, runs: Sequence[KnownRun]) -> None:
    """Keep runs, in the transaction that takes the last of their records in."""
    await connection.execute(
        """
        INSERT INTO known_records (topic, topic_id, partition, from_offset, next_offset, reading, digests)
        SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::bigint[],
                             $6::text[], $7::bytea[])
        ON CONFLICT (topic, topic_id, partition, reading, from_offset) DO UPDATE
           SET next_offset = excluded.next_offset, digests = excluded.digests
        """,
        *(list(column) for column in zip(*(run.span for run in runs), strict=True)),
        [run.reading for run in runs],
        [run.digests for run in runs],
    )
