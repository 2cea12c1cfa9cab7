"""Keeps objects from changing while documents of theirs are decided without a record being taken in.

Called by `store.intake`, for a backfill and for what is decided anew at start. Intake itself locks what
it folds and what that names (`reconciler.intake.companions`).
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.model import ObjectKey, SourceObject
from store.pool import Connection
from store.rows import decode_object, key_columns


async def hold_objects(connection: Connection, keys: Sequence[ObjectKey]) -> list[SourceObject]:
    """Read objects and let nobody write or decide about them until commit, nor write the companions
    that they name.

    Each kind is locked in the order in which intake writes objects. Who changes a companion does not
    see the documents that are being decided, and would leave them as they are; who decides the same,
    as processes that start together do, would tell it once more.
    """
    rows = await connection.fetch(
        """
        SELECT o.state
          FROM unnest($1::bigint[], $2::text[], $3::text[]) AS k(portal_id, object_type, object_id)
          JOIN objects AS o USING (portal_id, object_type, object_id)
         ORDER BY o.portal_id, o.object_type COLLATE "C", o.object_id COLLATE "C"
           FOR UPDATE OF o
        """,
        *key_columns(keys),
    )
    # A statement of its own: what they name may have changed while the first waited for them.
    await connection.execute(
        """
        SELECT FROM (
               SELECT DISTINCT l.portal_id, l.target_type AS object_type, l.target_id AS object_id
                 FROM unnest($1::bigint[], $2::text[], $3::text[]) AS k(portal_id, type, id)
                 JOIN object_links AS l ON l.portal_id = k.portal_id AND l.source_type = k.type
                                       AND l.source_id = k.id
                WHERE l.target_type NOT IN ('deal', 'quote', 'payment')) AS n
          JOIN objects AS o USING (portal_id, object_type, object_id)
         ORDER BY o.portal_id, o.object_type COLLATE "C", o.object_id COLLATE "C"
           FOR SHARE OF o
        """,
        *key_columns(keys),
    )
    return [decode_object(row[0]) for row in rows]
