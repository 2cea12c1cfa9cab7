"""Digests of records that were taken in, by their position; what they mean `reconciler.intake.known` knows.

Called by intake, and by `consuming` now and then to remove what can recognise nothing any more. Eight
bytes a record are little beside what the record itself left.
"""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from reconciler.ports.intake import LONGEST_RUN, KnownRun, Span
from store.pool import Connection
from store.rows import affected

FORGOTTEN_AT_ONCE = 1000
"""Most runs removed by one statement, about eight megabytes."""


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

    async def forget(self, reading: str, logs: Sequence[Span]) -> int:
        """Remove what was read in another way, stands in a former topic, or is deleted by now.

        *logs* is what Kafka holds of partitions. Answers how many runs are gone. Processes of two
        versions, as during a deployment, remove each other's: that makes a replay slower, no more.
        """
        columns = [[span[place] for span in logs] for place in range(5)]
        forgotten = 0
        while True:
            status: str = await self._pool.execute(
                """
                DELETE FROM known_records WHERE ctid = ANY (ARRAY(
                    SELECT r.ctid FROM known_records AS r
                      LEFT JOIN unnest($2::text[], $3::text[], $4::int[], $5::bigint[], $6::bigint[])
                                AS l(topic, topic_id, partition, beginning, ending)
                             ON l.topic = r.topic AND l.partition = r.partition
                     WHERE r.reading <> $1 OR r.topic_id <> l.topic_id OR r.next_offset <= l.beginning
                     LIMIT $7 FOR UPDATE OF r SKIP LOCKED))
                """,
                reading,
                *columns,
                FORGOTTEN_AT_ONCE,
            )
            gone = affected(status)
            forgotten += gone
            if gone < FORGOTTEN_AT_ONCE:
                return forgotten


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
