"""Intake's one transaction: offsets by compare-and-set, objects, wanted documents, dead letters.

Called by `reconciler.intake.intake` once per batch. Everything is set-based: one statement per table,
whatever the size of the batch. Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import msgspec

from reconciler.errors import Fenced
from reconciler.model import Action, DocumentKey, DocumentState, ObjectKey, ObjectType, SourceObject
from reconciler.ports.intake import (
    ActionPlace,
    Advance,
    DeadLetter,
    KnownRun,
    LedgerEntry,
    ObjectLink,
    StoredObject,
    WantedDocument,
)
from reconciler.ports.outcomes import NewOutcome
from reconciler.reasons import OFF
from store import finding, known
from store.hydration import request_facts
from store.links import (
    change_links,
    linked_sources,
    waiting_unlinked,
    wake_followers,
    with_merged,
)
from store.pool import Connection
from store.rows import affected, decode_object, document_key, key_columns

_encode = msgspec.json.Encoder().encode


_LEDGER_COLUMNS = """d.realm_id, d.action, d.portal_id, d.object_type, d.object_id, d.enrolment,
       d.document_id, d.workflow, d.state, d.reason, d.detail, d.enrolled_at, d.content, d.desired,
       d.quickbooks_id IS NOT NULL"""

_OFF = "({})".format(", ".join(f"'{reason}'" for reason in OFF))


class ConcurrentFold(Exception):
    """Another process wrote some of these rows meanwhile: read them again."""


_OPEN = """d.quickbooks_id IS NULL
               AND (d.state IN ('waiting', 'blocked', 'wanted')
                    OR (d.state = 'dismissed' AND d.reason <> 'dismissed'))"""
"""Nothing of it was sent, and no person dismissed it: it may still become another (`ledger`)."""


def instant(milliseconds: int) -> datetime:
    """Epoch milliseconds as an aware datetime."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


@asynccontextmanager
async def folding(pool: asyncpg.Pool) -> AsyncIterator[Connection]:
    """A transaction in which objects are folded; commits when the block ends, rolls back if it raises.

    Raises `ConcurrentFold` also where Postgres broke a deadlock, say with a dispatcher.
    """
    try:
        async with pool.acquire() as connection, connection.transaction():
            yield connection
    except asyncpg.exceptions.TransactionRollbackError as error:
        raise ConcurrentFold from error


@asynccontextmanager
async def transaction(pool: asyncpg.Pool) -> AsyncIterator[IntakeTransaction]:
    """Intake's own: nothing is written but what the records say."""
    async with folding(pool) as connection:
        yield IntakeTransaction(connection)


class IntakeTransaction:
    """The statements of one batch, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def advance(self, group_id: str, advances: Sequence[Advance]) -> None:
        """Move the offsets if they stand where we left them and the partitions are still ours.

        First, so that a zombie stops before doing any work. Raises `Fenced`.
        """
        moved = await self._connection.fetchval(
            """
            WITH moved AS (
                UPDATE offsets AS o
                   SET next_offset = n.next_offset, updated_at = now()
                  FROM unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[])
                       AS n(topic, partition, epoch, from_offset, next_offset)
                 WHERE o.group_id = $1 AND o.topic = n.topic AND o.partition = n.partition
                   AND o.epoch = n.epoch
                   AND (o.next_offset IS NULL OR o.next_offset = n.from_offset)
             RETURNING 1)
            SELECT count(*) FROM moved
            """,
            group_id,
            [a.topic for a in advances],
            [a.partition for a in advances],
            [a.epoch for a in advances],
            [a.from_offset for a in advances],
            [a.next_offset for a in advances],
        )
        if moved != len(advances):
            raise Fenced(
                f"{len(advances) - moved} of {len(advances)} partitions are not ours any more"
            )

    async def objects(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, StoredObject]:
        """The objects known so far, with the version to give back on saving."""
        rows = await self._connection.fetch(
            """
            SELECT o.version, o.state
              FROM unnest($1::bigint[], $2::text[], $3::text[]) AS k(portal_id, object_type, object_id)
              JOIN objects AS o USING (portal_id, object_type, object_id)
            """,
            *key_columns(keys),
        )
        found = {}
        for version, state in rows:
            obj = decode_object(state)
            found[obj.key] = StoredObject(version, obj)
        return found

    async def lock_objects(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, int]:
        """Keep others from changing these objects until commit; answers the versions of those known.

        Locks are taken in key order, so that two processes never wait for each other in a circle.
        """
        rows = await self._connection.fetch(
            """
            SELECT o.portal_id, o.object_type, o.object_id, o.version
              FROM unnest($1::bigint[], $2::text[], $3::text[]) AS k(portal_id, object_type, object_id)
              JOIN objects AS o USING (portal_id, object_type, object_id)
             ORDER BY o.portal_id, o.object_type COLLATE "C", o.object_id COLLATE "C"
               FOR UPDATE OF o
            """,
            *key_columns(keys),
        )
        return {ObjectKey(row[0], ObjectType(row[1]), row[2]): row[3] for row in rows}

    async def waiting_unlinked(self, kinds: Sequence[ObjectType]) -> list[int]:
        return await waiting_unlinked(self._connection, kinds)

    async def expect_objects(self, keys: Sequence[ObjectKey]) -> None:
        """Make empty rows of version 0 for objects that are named but not known, in the order given.

        Waits for a process that is writing one of them at this moment, and raises `ConcurrentFold`
        where it did: the row is known now and not ours, so it may change again before we commit.
        """
        empty = [SourceObject(key=key) for key in keys]
        made = await self._connection.execute(
            """
            INSERT INTO objects (portal_id, object_type, object_id, version, state, changed_at)
            SELECT n.portal_id, n.object_type, n.object_id, 0, n.state, n.changed_at
              FROM unnest($1::bigint[], $2::text[], $3::text[], $4::json[], $5::timestamptz[])
                   AS n(portal_id, object_type, object_id, state, changed_at)
            ON CONFLICT DO NOTHING
            """,
            *key_columns(keys),
            [_encode(obj).decode() for obj in empty],
            [instant(0)] * len(empty),
        )
        if affected(made) != len(empty):
            raise ConcurrentFold

    async def change_links(
        self, added: Sequence[ObjectLink], removed: Sequence[ObjectLink]
    ) -> None:
        await change_links(self._connection, added, removed)

    async def with_merged(self, keys: Sequence[ObjectKey]) -> set[ObjectKey]:
        return await with_merged(self._connection, keys)

    async def linked_sources(
        self, targets: Collection[ObjectKey], *, undecided: bool
    ) -> set[ObjectKey]:
        return await linked_sources(self._connection, targets, undecided=undecided)

    async def save_objects(self, objects: Sequence[StoredObject]) -> None:
        """Write folded objects; each carries the version it was read at (0 for a new one).

        Raises `ConcurrentFold` if another process wrote one of them since it was read. Rows are
        written in key order, so that two processes never wait for each other in a circle.
        """
        ordered = sorted(objects, key=lambda stored: stored.object.key)
        written = await self._connection.execute(
            """
            INSERT INTO objects AS o (portal_id, object_type, object_id, version, state, changed_at,
                                      found_by)
            SELECT n.portal_id, n.object_type, n.object_id, n.version + 1, n.state, n.changed_at,
                   n.found_by
              FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::json[],
                          $6::timestamptz[], $7::text[])
                   AS n(portal_id, object_type, object_id, version, state, changed_at, found_by)
            ON CONFLICT (portal_id, object_type, object_id) DO UPDATE
               SET version = excluded.version, state = excluded.state, found_by = excluded.found_by,
                   changed_at = excluded.changed_at, updated_at = now()
             WHERE o.version = excluded.version - 1
            """,
            *key_columns([stored.object.key for stored in ordered]),
            [stored.version for stored in ordered],
            [_encode(stored.object).decode() for stored in ordered],
            [instant(stored.object.changed_at) for stored in ordered],
            [finding.of_object(stored.object) for stored in ordered],
        )
        if affected(written) != len(ordered):
            raise ConcurrentFold

    async def unsent_elsewhere(self, on: Sequence[ActionPlace]) -> list[int]:
        """Ids of unsent documents of none of these actions, not blocked as off yet, in order."""
        not_off = f"d.reason NOT IN {_OFF} AND NOT"
        return await self._by_place(
            [f"d.state IN ('waiting', 'blocked') AND {not_off}", f"d.state = 'wanted' AND {not_off}"], on
        )  # fmt: skip

    async def blocked_as_off(self, on: Sequence[ActionPlace]) -> list[int]:
        """Ids of documents blocked because their action was off, of one of these actions, in order."""
        return await self._by_place([f"d.state = 'blocked' AND d.reason IN {_OFF} AND"], on)

    async def _by_place(self, conditions: Sequence[str], on: Sequence[ActionPlace]) -> list[int]:
        """Each condition names states that a partial index holds: few documents are not finished."""
        rows = await self._connection.fetch(
            " UNION ALL ".join(
                f"""
                SELECT d.document_id FROM documents AS d
                 WHERE d.quickbooks_id IS NULL AND {condition}
                       EXISTS (SELECT FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
                                      AS n(workflow, realm_id, action, object_type)
                                WHERE n.workflow = d.workflow AND n.realm_id = d.realm_id
                                  AND n.action = d.action AND n.object_type = d.object_type)
                """
                for condition in conditions
            ),
            [place.workflow for place in on],
            [place.realm_id for place in on],
            [place.action for place in on],
            [place.object_type for place in on],
        )
        return sorted(row[0] for row in rows)

    async def entries(self, document_ids: Sequence[int]) -> list[LedgerEntry]:
        """These documents as they are recorded now."""
        rows = await self._connection.fetch(
            f"SELECT {_LEDGER_COLUMNS} FROM documents AS d WHERE d.document_id = ANY($1::bigint[])",
            list(document_ids),
        )
        return [_entry(row) for row in rows]

    async def ledger(self, keys: Sequence[ObjectKey]) -> dict[DocumentKey, LedgerEntry]:
        """Every document ever wanted for these objects."""
        rows = await self._connection.fetch(
            f"""
            SELECT {_LEDGER_COLUMNS}
              FROM unnest($1::bigint[], $2::text[], $3::text[]) AS k(portal_id, object_type, object_id)
              JOIN documents AS d USING (portal_id, object_type, object_id)
            """,
            *key_columns(keys),
        )
        return {entry.key: entry for entry in map(_entry, rows)}

    async def want(
        self, documents: Sequence[WantedDocument], heard_at: int = 0
    ) -> dict[DocumentKey, int]:
        """Record verdicts that differ from the ledger; answers the ids of those written.

        *heard_at* is when we could first know (epoch ms; 0: now), for latencies.

        A document that is being sent or exists keeps its content: only what is desired now is
        noted beside it. Rows are written in the order of their objects, so that two processes
        never wait for each other in a circle; those of one object keep the order given.
        """
        documents = sorted(documents, key=lambda document: document.key.source)
        rows = await self._connection.fetch(
            f"""
            INSERT INTO documents AS d
                   (realm_id, action, portal_id, object_type, object_id, enrolment, workflow,
                    state, reason, detail, content, enrolled_at, priority,
                    next_attempt_at, ready_at, generation, revision, version, attempts)
            SELECT n.realm_id, n.action, n.portal_id, n.object_type, n.object_id, n.enrolment,
                   n.workflow, n.state, n.reason, n.detail, n.content, n.enrolled_at, n.priority,
                   greatest(now(), n.not_before), greatest(coalesce($15, now()), n.not_before),
                   1, 1, 1, 0
              FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::int[],
                          $7::text[], $8::text[], $9::text[], $10::text[], $11::json[],
                          $12::timestamptz[], $13::smallint[], $14::timestamptz[])
                   AS n(realm_id, action, portal_id, object_type, object_id, enrolment, workflow,
                        state, reason, detail, content, enrolled_at, priority, not_before)
            ON CONFLICT ON CONSTRAINT documents_key DO UPDATE
               SET workflow = excluded.workflow, state = excluded.state, reason = excluded.reason,
                   detail = excluded.detail, content = excluded.content, desired = NULL,
                   enrolled_at = excluded.enrolled_at, ready_at = excluded.ready_at,
                   version = d.version + 1, attempts = 0,
                   next_attempt_at = excluded.next_attempt_at,
                   priority = least(d.priority, excluded.priority),
                   state_since = CASE WHEN d.state = excluded.state AND d.reason = excluded.reason
                                      THEN d.state_since ELSE now() END
             WHERE {_OPEN}
            RETURNING d.realm_id, d.action, d.portal_id, d.object_type, d.object_id, d.enrolment,
                      d.document_id
            """,
            *_document_key_columns([d.key for d in documents]),
            [d.workflow for d in documents],
            [d.state for d in documents],
            [d.reason for d in documents],
            [d.detail for d in documents],
            [d.content for d in documents],
            [instant(d.enrolled_at) for d in documents],
            [d.priority for d in documents],
            [instant(d.not_before) if d.not_before else None for d in documents],
            instant(heard_at) if heard_at > 0 else None,
        )
        ids = {document_key(row): row[6] for row in rows}
        contents = {ids[d.key]: d.content for d in documents if d.key in ids}
        await finding.note(self._connection, contents)
        if ended := [ids[d.key] for d in documents if _is_given_up(d) and d.key in ids]:
            await wake_followers(self._connection, ended)
        return ids

    async def desire(self, desired: Mapping[int, str]) -> None:
        """Note what documents already sent should say now (by document id).

        A change that is on its way is left to its answer; what is noted is looked at then. Raises
        `ConcurrentFold` if one of them was refused since the ledger was read: it is not sent any
        more, and nobody would look at what is noted beside it.
        """
        noted = await self._connection.execute(
            f"""
            UPDATE documents AS d
               SET desired = n.desired, version = d.version + 1, next_attempt_at = now(),
                   change = CASE WHEN d.change = 'sending' THEN d.change ELSE 'open' END
              FROM unnest($1::bigint[], $2::json[]) AS n(document_id, desired)
             WHERE d.document_id = n.document_id AND NOT ({_OPEN})
            """,
            list(desired),
            list(desired.values()),
        )
        if affected(noted) != len(desired):
            raise ConcurrentFold

    async def request_facts(self, keys: Sequence[ObjectKey]) -> None:
        await request_facts(self._connection, keys)

    async def save_known(self, runs: Sequence[KnownRun]) -> None:
        await known.save(self._connection, runs)

    async def save_outcomes(self, outcomes: Sequence[NewOutcome]) -> None:
        await insert_outcomes(self._connection, outcomes)

    async def save_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Keep records that could not be understood, and put an event about each in the outbox.

        A replay of the same records adds nothing.
        """
        await self._connection.execute(
            """
            WITH kept AS (
                INSERT INTO dead_letters (topic, partition, record_offset, topic_id, record_key,
                                          record_value, reason, detail, record_timestamp,
                                          record_headers)
                SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::bytea[],
                                     $6::bytea[], $7::text[], $8::text[], $9::bigint[],
                                     $10::bytea[])
                ON CONFLICT ON CONSTRAINT dead_letters_position DO NOTHING
                RETURNING dead_letter_id, topic, partition, record_offset, reason, detail)
            INSERT INTO outcomes (kind, key, value)
            SELECT 'dead_letter', format('%s:%s:%s', topic, partition, record_offset),
                   json_build_object('dead_letter_id', dead_letter_id, 'topic', topic, 'partition', partition,
                                     'offset', record_offset, 'reason', reason, 'detail', detail)
              FROM kept
            """,
            *zip(*(msgspec.structs.astuple(letter) for letter in letters), strict=True),
        )

    async def wake_dispatchers(self, realm_ids: Iterable[str]) -> None:
        """Tell the companies' owners, in whatever process, that there is work (on commit)."""
        await self._connection.execute(
            "SELECT pg_notify('documents_wanted', realm) FROM unnest($1::text[]) AS realm",
            list(realm_ids),
        )


async def insert_outcomes(connection: Connection, outcomes: Sequence[NewOutcome]) -> None:
    """Put outcomes in the outbox, in the transaction of the state change they report."""
    await connection.execute(
        """
        INSERT INTO outcomes (document_id, kind, key, value)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::json[])
        """,
        [o.document_id for o in outcomes],
        [o.kind for o in outcomes],
        [o.key for o in outcomes],
        [o.value for o in outcomes],
    )


def _is_given_up(document: WantedDocument) -> bool:
    """Whether it is an estimate for which its invoice need not wait any more."""
    ends = (DocumentState.BLOCKED, DocumentState.DISMISSED)
    return document.key.action is Action.ESTIMATE and document.state in ends


def _document_key_columns(keys: Sequence[DocumentKey]) -> tuple[list[object], ...]:
    return tuple(list(column) for column in zip(*keys, strict=True))


def _entry(row: asyncpg.Record) -> LedgerEntry:
    return LedgerEntry(
        key=document_key(row),
        document_id=row[6],
        workflow=row[7],
        state=DocumentState(row[8]),
        reason=row[9],
        detail=row[10],
        enrolled_at=int(row[11].timestamp() * 1000),
        content=row[12],
        desired=row[13],
        is_in_quickbooks=row[14],
    )
