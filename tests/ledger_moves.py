"""Holds every move that the store makes of a document's state against `lifecycle.TRANSITIONS`.

A trigger in the database that all tests' databases are copied from: whatever a test does, a move
that the table does not list fails in the statement that makes it.
"""

from __future__ import annotations

import asyncpg

from reconciler.writing.lifecycle import TRANSITIONS


async def refuse_unlisted_moves(dsn: str) -> None:
    """Install the trigger."""
    listed = {f"{start} {end}" for (start, _), end in TRANSITIONS.items()}
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            f"""
            CREATE FUNCTION refuse_unlisted_move() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'lifecycle.TRANSITIONS lists no move of document % from % to %',
                                old.document_id, old.state, new.state;
            END $$;
            CREATE TRIGGER refuse_unlisted_moves BEFORE UPDATE OF state ON documents FOR EACH ROW
                WHEN (old.state <> new.state
                      AND old.state || ' ' || new.state <> ALL ('{{{",".join(sorted(listed))}}}'))
                EXECUTE FUNCTION refuse_unlisted_move();
            """
        )
    finally:
        await connection.close()
