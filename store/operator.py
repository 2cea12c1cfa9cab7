"""What people read of the ledger, and the few things they change.

Called by `reconciler.operator`, never on the way of a record. Documents are paged by id, so that a
page costs the same however large the ledger is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg

from reconciler.model import DocumentState, ObjectKey, ObjectType, SourceObject
from reconciler.ports.operator import (
    CompanyActivity,
    DocumentAct,
    DocumentCount,
    Health,
    NewAudit,
    StoredCause,
    StoredCompany,
    StoredDeadLetter,
    StoredDocument,
    StoredHubSpotProblem,
    WorkflowCount,
)
from reconciler.ports.views import (
    AuditEntry,
    DeadLetterFilter,
    DeadLetterSummary,
    DocumentFilter,
    OperationView,
    OutcomeView,
    PartitionPosition,
    ReplayView,
    Selection,
)
from store import audit, documents, finding, hubspot_problems, replays, summaries
from store.dead_letters import DeadLetterStore
from store.intake import insert_outcomes
from store.leases import done_anew
from store.rows import decode_object, key_columns


@dataclass(frozen=True)
class OperatorStore:
    """Bound to the pool."""

    pool: asyncpg.Pool
    letters: DeadLetterStore = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "letters", DeadLetterStore(self.pool))

    # --- documents ---------------------------------------------------------------------------------

    async def documents(
        self, wanted: DocumentFilter, after: int | None, limit: int
    ) -> list[StoredDocument]:
        """Newest first."""
        return await documents.page(self.pool, wanted, after, limit)

    async def documents_by_id(self, document_ids: Sequence[int]) -> list[StoredDocument]:
        """In the order of their ids."""
        return await documents.by_id(self.pool, document_ids)

    async def documents_of(self, keys: Sequence[ObjectKey]) -> list[StoredDocument]:
        """Every document of these objects."""
        return await documents.of_objects(self.pool, keys)

    async def selected(self, selection: Selection, after: int, limit: int) -> list[StoredDocument]:
        """In the order of their ids, after an id."""
        return await documents.selected(self.pool, selection, after, limit)

    async def operations(self, document_id: int) -> list[OperationView]:
        """Oldest first."""
        return await documents.operations(self.pool, document_id)

    async def outcomes(self, document_id: int) -> list[OutcomeView]:
        """Oldest first."""
        return await documents.outcomes(self.pool, document_id)

    async def causes(self, state: DocumentState, most: int) -> list[StoredCause]:
        """Documents of a state by company and reason, and by the *most* frequent details of each."""
        return await summaries.causes(self.pool, state, most)

    async def counts(self) -> list[DocumentCount]:
        """Documents by company and state."""
        return await summaries.counts(self.pool)

    async def stuck(self) -> dict[str, int]:
        """How many documents are blocked, and how many are waiting."""
        return await summaries.stuck(self.pool)

    async def workflow_counts(self) -> list[WorkflowCount]:
        """Documents by workflow and state."""
        return await summaries.workflow_counts(self.pool)

    @done_anew
    async def change(self, changes: Sequence[DocumentAct], entries: Sequence[NewAudit]) -> set[int]:
        """Apply those whose version still holds, with their events and audit entries."""
        async with self.pool.acquire() as connection, connection.transaction():
            applied = await documents.change(connection, changes)
            events = [
                each.outcome for each in changes if each.outcome and each.document_id in applied
            ]
            if events:
                await insert_outcomes(connection, events)
            kept = [
                entry
                for each, entry in zip(changes, entries, strict=True)
                if each.document_id in applied
            ]
            if kept:
                await audit.write(connection, kept)
            await connection.execute(
                """
                SELECT pg_notify('documents_wanted', realm_id) FROM
                       (SELECT DISTINCT realm_id FROM documents
                         WHERE document_id = ANY($1::bigint[]) AND state = 'wanted') AS changed
                """,
                list(applied),
            )
            return set(applied)

    # --- objects -----------------------------------------------------------------------------------

    async def objects(self, keys: Sequence[ObjectKey]) -> list[SourceObject]:
        """Those that are known."""
        rows = await self.pool.fetch(
            """
            SELECT o.state
              FROM unnest($1::bigint[], $2::text[], $3::text[]) AS k(portal_id, object_type, object_id)
              JOIN objects AS o USING (portal_id, object_type, object_id)
            """,
            *key_columns(keys),
        )
        return [decode_object(row[0]) for row in rows]

    async def named(self, text: str, types: Sequence[ObjectType], limit: int) -> list[SourceObject]:
        """Objects with the text in their name, last changed first."""
        found = await finding.objects_named(self.pool, text, types, limit)
        return [decode_object(state) for state in found]

    async def portals(self) -> list[int]:
        """Every portal of which an object is known."""
        return [row[0] for row in await self.pool.fetch(finding.PORTALS)]

    # --- dead letters ------------------------------------------------------------------------------

    async def dead_letters(
        self, wanted: DeadLetterFilter, after: int, limit: int
    ) -> list[DeadLetterSummary]:
        """Oldest first, after an id."""
        return await self.letters.page(wanted, after, limit)

    async def dead_letter_reasons(self) -> dict[str, int]:
        """Open ones by reason."""
        return await self.letters.reasons()

    async def open_dead_letters(self, topic: str) -> int:
        """How many of one topic are open."""
        return await self.letters.open_of(topic)

    async def dead_letters_by_id(self, ids: Sequence[int]) -> list[StoredDeadLetter]:
        """With their bytes."""
        return await self.letters.by_id(ids)

    async def still_undecodable(self, reasons: dict[int, tuple[str, str]]) -> None:
        """Note what today's decoders say."""
        await self.letters.renew(reasons)

    async def dismiss_dead_letters(
        self, ids: Sequence[int], resolution: str, entry: NewAudit
    ) -> set[int]:
        """Resolve without taking in."""
        return await self.letters.dismiss(ids, resolution, entry)

    # --- the rest ----------------------------------------------------------------------------------

    async def companies(self) -> list[StoredCompany]:
        """Every company ever registered."""
        return await summaries.companies(self.pool)

    async def activity(self) -> dict[str, CompanyActivity]:
        """What is known of companies' lists and written to them, by realm id."""
        return await summaries.activity(self.pool)

    async def health(self) -> Health:
        """Counts over the whole store."""
        return await summaries.health(self.pool)

    async def reading(self, group_id: str) -> list[PartitionPosition]:
        """How far each partition was read."""
        return await summaries.reading(self.pool, group_id)

    async def replays(self, limit: int) -> list[ReplayView]:
        """Newest first."""
        return await replays.latest(self.pool, limit)

    async def audit(self, target: str, limit: int, after: int | None = None) -> list[AuditEntry]:
        """Newest first, before an id."""
        return await audit.read(self.pool, target, limit, after)

    async def hubspot_problems(self, key: ObjectKey) -> list[StoredHubSpotProblem]:
        """Of one object and its documents."""
        return await hubspot_problems.of_object(self.pool, key)

    async def hubspot_problem_groups(self) -> list[StoredHubSpotProblem]:
        """By what HubSpot said, most frequent first."""
        return await hubspot_problems.groups(self.pool)

    async def write_back_again(self, entry: NewAudit) -> int:
        """Let what HubSpot refused to take be tried again."""
        return await hubspot_problems.write_back_again(self.pool, entry)

    async def note(self, entry: NewAudit) -> None:
        """Keep an entry about what is not in this database."""
        async with self.pool.acquire() as connection:
            await audit.write(connection, [entry])
