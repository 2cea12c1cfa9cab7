"""Records are recognised only where the same bytes were taken in at the same place."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.intake.known import RUN, KnownRecords
from reconciler.ports.intake import LONGEST_RUN, Advance, KnownRun, Span
from streams.records import Record

IDS = {"t": "id"}


class Store:
    """Keeps runs as `store.known` does."""

    def __init__(self) -> None:
        self.runs: list[KnownRun] = []

    async def find(self, reading: str, spans: Sequence[Span]) -> list[KnownRun]:
        return [
            run
            for run in self.runs
            for span in spans
            if run.reading == reading
            and run.span[:3] == span[:3]
            and run.span.from_offset < span.next_offset
            and run.span.from_offset > span.from_offset - LONGEST_RUN
            and run.span.next_offset > span.from_offset
        ]


def record(offset: int, value: bytes, partition: int = 0, at: int = 7) -> Record:
    return Record("t", partition, offset, at, None, value)


def cut(records: Sequence[Record], ends: Sequence[int]) -> list[tuple[list[Record], Advance]]:
    """The log in batches that end at these offsets; offsets without a record are gaps."""
    found, start = [], 0
    for end in ends:
        part = [each for each in records if start <= each.offset < end]
        found.append((part, Advance("t", 0, 1, start, end)))
        start = end
    return found


async def read(
    known: KnownRecords,
    store: Store,
    batches: list[tuple[list[Record], Advance]],
    refused: Sequence[int] = (),
) -> list[int]:
    """Offsets of the records that were new, in the order read."""
    new = []
    for records, advance in batches:
        looked = await known.look(records, [advance], IDS)
        new += [each.offset for each in looked.new]
        store.runs += known.due(
            looked, [("t", 0, each.offset) for each in looked.new if each.offset in refused]
        )
        known.committed(looked)
    return new


@given(
    offsets=st.sets(st.integers(0, 3000), min_size=1, max_size=40).map(sorted),
    first=st.sets(st.integers(1, 3000), max_size=6).map(sorted),
    second=st.sets(st.integers(1, 3000), max_size=6).map(sorted),
    data=st.data(),
)
async def test_reading_again_recognises_only_what_was_taken_in(
    offsets: list[int], first: list[int], second: list[int], data: st.DataObject
) -> None:
    """However both readings were cut: dead letters and changed bytes are new, nothing gets lost."""
    refused = set(data.draw(st.lists(st.sampled_from(offsets), max_size=3)))
    changed = set(data.draw(st.lists(st.sampled_from(offsets), max_size=3)))
    log = [record(offset, b"%d" % offset) for offset in offsets]
    store = Store()
    known = KnownRecords("r", store.find)
    assert await read(known, store, cut(log, [*first, 3001]), list(refused)) == offsets
    again = [record(each.offset, b"other") if each.offset in changed else each for each in log]
    new = await read(KnownRecords("r", store.find), store, cut(again, [*second, 3001]))
    assert set(new) >= refused | changed
    assert sorted(new) == new


async def test_a_dense_log_is_recognised_whole() -> None:
    """Reading it again in other batches decodes nothing but the end that made no whole run yet."""
    log = [record(offset, b"%d" % offset) for offset in range(5 * RUN + 10)]
    store = Store()
    await read(KnownRecords("r", store.find), store, cut(log, range(250, len(log) + 250, 250)))
    ends = [*range(333, len(log), 333), len(log)]
    new = await read(KnownRecords("r", store.find), store, cut(log, ends))
    assert new == list(range(5 * RUN, len(log)))


async def test_another_reading_recognises_nothing() -> None:
    """A workflow that looks at another property must fold old records again."""
    log = [record(offset, b"x") for offset in range(RUN)]
    store = Store()
    await read(KnownRecords("r", store.find), store, cut(log, [RUN]))
    assert await read(KnownRecords("r", store.find), store, cut(log, [RUN])) == []
    assert len(await read(KnownRecords("other", store.find), store, cut(log, [RUN]))) == RUN


async def test_the_same_bytes_at_another_time_are_another_statement() -> None:
    """A record without a time of its own is true when Kafka got it."""
    store = Store()
    log = [record(offset, b"x") for offset in range(RUN)]
    await read(KnownRecords("r", store.find), store, cut(log, [RUN]))
    later = [record(offset, b"x", at=8) for offset in range(RUN)]
    assert len(await read(KnownRecords("r", store.find), store, cut(later, [RUN]))) == RUN


@pytest.mark.parametrize("at", [-1, 0, 2**63 - 1])
async def test_whatever_time_kafka_has_of_it_a_record_is_recognised(at: int) -> None:
    """A producer may give any, or none (-1)."""
    store = Store()
    log = [record(offset, b"%d" % offset, at=at) for offset in range(RUN)]
    assert len(await read(KnownRecords("r", store.find), store, cut(log, [RUN]))) == RUN
    assert await read(KnownRecords("r", store.find), store, cut(log, [RUN])) == []


async def test_partitions_of_one_batch_are_told_apart() -> None:
    """A batch holds several partitions one after another, with the same offsets."""
    store = Store()
    records = [record(n, b"a%d" % n) for n in range(RUN)]
    records += [record(n, b"b%d" % n, partition=1) for n in range(RUN)]
    advances = [Advance("t", 0, 1, 0, RUN), Advance("t", 1, 1, 0, RUN)]
    known = KnownRecords("r", store.find)
    looked = await known.look(records, advances, IDS)
    store.runs += known.due(looked, [("t", 1, 5)])
    known.committed(looked)
    looked = await known.look(records, advances, IDS)
    assert [(each.partition, each.offset) for each in looked.new] == [(1, 5)]
    assert looked.known == {"t": 2 * RUN - 1}


async def test_a_batch_that_was_rolled_back_is_not_known() -> None:
    """Nothing is kept before the commit."""
    store = Store()
    known = KnownRecords("r", store.find)
    log = [record(offset, b"x") for offset in range(RUN // 2)]
    looked = await known.look(log, [Advance("t", 0, 1, 0, RUN // 2)], IDS)
    known.due(looked, [])  # and no `committed`
    more = [record(offset, b"x") for offset in range(RUN // 2, RUN)]
    looked = await known.look(more, [Advance("t", 0, 1, RUN // 2, RUN)], IDS)
    assert known.due(looked, []) == []
