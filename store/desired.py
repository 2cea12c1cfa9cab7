"""What HubSpot said while a document was on its way, where QuickBooks then refused the document.

Called by `store.dispatch` in the transaction that records the refusal. Nothing of the document is in
QuickBooks then, so it is as if the change arrived now: what `intake` would make of a document that was
not sent yet is made of it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from reconciler.model import DocumentKey, DocumentState
from reconciler.outcomes import about
from reconciler.ports.outcomes import NewOutcome
from reconciler.ports.standing import NOT_DESIRED, unmade
from reconciler.reasons import Blocked, Reason
from store import finding
from store.intake import insert_outcomes
from store.pool import Connection
from store.rows import document_key


class _Refused(NamedTuple):
    """A document as the refusal left it, and what it should have said by then."""

    document_id: int
    key: DocumentKey
    workflow: str
    state: DocumentState
    desired: str


class _Anew(NamedTuple):
    """What becomes of it."""

    document_id: int
    state: DocumentState
    reason: str
    detail: str
    content: str | None


async def take_up(connection: Connection, refused: Collection[int]) -> set[int]:
    """Let documents that were just refused say what HubSpot says by now; answers those stopped.

    Where that is another content they are wanted with it, also if the refusal had blocked them. One
    whose object was deleted, or that HubSpot's facts call for no more, is stopped for that. A document
    of which a part is in QuickBooks (the invoice of a paid one) is left alone.
    """
    rows = await connection.fetch(
        """
        SELECT realm_id, action, portal_id, object_type, object_id, enrolment, document_id, workflow,
               state, desired
          FROM documents
         WHERE document_id = ANY($1::bigint[]) AND quickbooks_id IS NULL
           AND desired IS NOT NULL AND desired::text IS DISTINCT FROM content::text
         ORDER BY document_id
        """,
        list(refused),
    )
    if not rows:
        return set()
    overtaken = [
        _Refused(
            row[6],
            document_key(row),
            row[7],
            DocumentState(row[8]),
            row[9],
        )
        for row in rows
    ]
    anew = [_anew(each) for each in overtaken]
    await connection.execute(
        """
        UPDATE documents AS d
           SET state = n.state, reason = n.reason, detail = n.detail, content = n.content,
               desired = NULL, change = '', version = d.version + 1, attempts = 0,
               state_since = CASE WHEN d.state = n.state AND d.reason = n.reason
                                  THEN d.state_since ELSE now() END,
               next_attempt_at = greatest(now(), d.next_attempt_at), ready_at = now()
          FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::json[])
               AS n(document_id, state, reason, detail, content)
         WHERE d.document_id = n.document_id
        """,
        *map(list, zip(*anew, strict=True)),
    )
    await finding.note(connection, {each.document_id: each.content for each in anew})
    pairs = zip(overtaken, anew, strict=True)
    if events := [event for was, now in pairs if (event := _event(was, now)) is not None]:
        await insert_outcomes(connection, events)
    return {each.document_id for each in anew if each.state is not DocumentState.WANTED}


def _anew(refused: _Refused) -> _Anew:
    if refused.desired == NOT_DESIRED:
        stop = Blocked(Reason.SOURCE_DELETED, object=refused.key.object_type)
        return _Anew(refused.document_id, DocumentState.BLOCKED, stop.reason, stop.detail, None)
    if found := unmade(refused.desired):
        return _Anew(refused.document_id, *found, None)
    return _Anew(refused.document_id, DocumentState.WANTED, "", "", refused.desired)


def _event(was: _Refused, now: _Anew) -> NewOutcome | None:
    if was.state is now.state is DocumentState.WANTED:
        return None  # nobody was told that it was anything else
    return about(was, now.state, now.reason, now.detail)
