"""Where each partition is read from, as the database keeps it."""

from __future__ import annotations

import asyncio

import asyncpg

from store.offsets import claim_partitions, forget_offsets

TOPIC = "crm.deals"
STARTS = [(TOPIC, 0, 100), (TOPIC, 1, 200)]
"""The ends of its partitions, where reading starts with start_from=latest."""


async def claimed(
    pool: asyncpg.Pool, *partitions: int, starts: list[tuple[str, int, int]] = STARTS
) -> dict[int, int]:
    """Where these partitions are read from, once claimed; the log of each begins at 5."""
    claims = await claim_partitions(
        pool, "group", "me", [(TOPIC, number, "id", 5) for number in partitions], starts
    )
    return {claim.partition: claim.next_offset for claim in claims}


async def test_a_partition_starts_where_it_was_first_claimed(pool: asyncpg.Pool) -> None:
    """Though nothing was read of it since, and its log has grown."""
    assert await claimed(pool, 0, 1) == {0: 100, 1: 200}
    assert await claimed(pool, 0, 1, starts=[(TOPIC, 0, 110), (TOPIC, 1, 210)]) == {0: 100, 1: 200}


async def test_one_that_starts_at_the_beginning_keeps_that(pool: asyncpg.Pool) -> None:
    """What retention deletes before it was read is missed out loud."""
    assert await claimed(pool, 0, starts=[]) == {0: 5}
    (again,) = await claim_partitions(pool, "group", "me", [(TOPIC, 0, "id", 7)])
    assert again.next_offset == 5


async def test_who_is_first_says_where_all_partitions_start(pool: asyncpg.Pool) -> None:
    """Of processes that start at once, in whatever order; their claims are their own."""
    one, other = await asyncio.gather(claimed(pool, 0), claimed(pool, 1))
    assert (one, other) == ({0: 100}, {1: 200})
    epochs = await pool.fetch("SELECT epoch, topic_id FROM offsets ORDER BY partition")
    assert [tuple(row) for row in epochs] == [(1, "id"), (1, "id")]


async def test_one_noted_for_others_is_claimed_later(pool: asyncpg.Pool) -> None:
    """It starts where it was noted, not where it ends by then."""
    await claimed(pool, 0)
    assert await claimed(pool, 1, starts=[(TOPIC, 0, 110), (TOPIC, 1, 210)]) == {1: 200}


async def test_a_partition_added_later_is_read_from_its_beginning(pool: asyncpg.Pool) -> None:
    """Its records came after reading of the topic had started."""
    await claimed(pool, 0, 1)
    assert await claimed(pool, 2, starts=[*STARTS, (TOPIC, 2, 300)]) == {2: 5}


async def test_what_is_read_anew_is_read_from_its_beginning(pool: asyncpg.Pool) -> None:
    """Also where reading once started at the end."""
    await claimed(pool, 0, 1)
    assert await forget_offsets(pool, "group", [TOPIC]) == 2
    assert await claimed(pool, 0, 1) == {0: 5, 1: 5}
