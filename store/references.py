"""A company's facts and name lists as last seen in QuickBooks.

Called by `reconciler.dispatch.directory`. A copy, never the truth: it saves metered reads, is refreshed by
change data capture, and is looked at again before a document is blocked for a missing reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from reconciler.ports.dispatch import Lease
from reconciler.ports.references import CompanyRecord, StoredReference
from store.leases import hold

SMALL_LISTS = ("Account", "Class", "Department", "PaymentMethod", "TaxCode", "Term")
"""Lists that are read whole: a company has tens of these, not thousands."""


class ReferenceStore:
    """Bound to the pool."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def company(self, realm_id: str) -> CompanyRecord | None:
        """What is stored about the company."""
        row = await self._pool.fetchrow(
            """
            SELECT realm_id, name, facts, connection, connection_detail, references_loaded_at,
                   references_changed_since
              FROM companies WHERE realm_id = $1
            """,
            realm_id,
        )
        return CompanyRecord(*row) if row else None

    async def save_facts(self, lease: Lease, facts: str) -> None:
        """Keep what companyinfo and preferences said (JSON text). Raises `Fenced`."""
        async with self._pool.acquire() as connection, connection.transaction():
            await hold(connection, lease, to_write=True)
            await connection.execute(
                "UPDATE companies SET facts = $2 WHERE realm_id = $1", lease.realm_id, facts
            )

    async def set_connection(self, lease: Lease, connection_state: str, detail: str) -> None:
        """Note whether the company is connected, and what to do if not. Raises `Fenced`."""
        async with self._pool.acquire() as connection, connection.transaction():
            await hold(connection, lease, to_write=True)
            await connection.execute(
                "UPDATE companies SET connection = $2, connection_detail = $3 WHERE realm_id = $1",
                lease.realm_id,
                connection_state,
                detail,
            )

    async def save(
        self,
        lease: Lease,
        rows: Sequence[StoredReference],
        *,
        changed_since: datetime | None = None,
        replace: bool = False,
    ) -> None:
        """Write rows; *replace* first forgets all others. *changed_since*: where CDC goes on.

        Raises `Fenced`.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await hold(connection, lease, to_write=changed_since is not None)
            if replace:
                await connection.execute(
                    "DELETE FROM quickbooks_references WHERE realm_id = $1", lease.realm_id
                )
            if rows:
                await connection.execute(
                    """
                    INSERT INTO quickbooks_references AS r
                           (realm_id, entity, quickbooks_id, sync_token, active, name_key,
                            email_key, sku, data)
                    SELECT $1, n.* FROM unnest($2::text[], $3::text[], $4::text[], $5::bool[],
                                               $6::text[], $7::text[], $8::text[], $9::json[]) AS n
                    ON CONFLICT (realm_id, entity, quickbooks_id) DO UPDATE
                       SET sync_token = excluded.sync_token, active = excluded.active,
                           name_key = excluded.name_key, email_key = excluded.email_key,
                           sku = excluded.sku, data = excluded.data
                    """,
                    lease.realm_id,
                    *(list(column) for column in zip(*rows, strict=True)),
                )
            if changed_since is not None:
                await connection.execute(
                    """
                    UPDATE companies
                       SET references_changed_since = $2,
                           references_loaded_at = coalesce(references_loaded_at, now())
                     WHERE realm_id = $1
                    """,
                    lease.realm_id,
                    changed_since,
                )

    async def small_lists(self, realm_id: str) -> list[str]:
        """The rows of the lists that are read whole, as JSON text."""
        rows = await self._pool.fetch(
            """
            SELECT data FROM quickbooks_references
             WHERE realm_id = $1 AND entity = ANY($2::text[])
            """,
            realm_id,
            list(SMALL_LISTS),
        )
        return [row[0] for row in rows]

    async def find(
        self,
        realm_id: str,
        names: Sequence[str],
        emails: Sequence[str],
        skus: Sequence[str],
        item_ids: Sequence[str],
    ) -> list[str]:
        """Customers, vendors, employees and items by name, email, SKU (lower case) or id."""
        rows = await self._pool.fetch(
            """
            SELECT data FROM quickbooks_references
             WHERE realm_id = $1 AND entity IN ('Customer', 'Vendor', 'Employee', 'Item')
               AND name_key = ANY($2::text[])
            UNION ALL
            SELECT data FROM quickbooks_references
             WHERE realm_id = $1 AND email_key <> '' AND email_key = ANY($3::text[])
            UNION ALL
            SELECT data FROM quickbooks_references
             WHERE realm_id = $1 AND email_key LIKE '%,%'
               AND string_to_array(replace(email_key, ' ', ''), ',') && $3::text[]
            UNION ALL
            SELECT data FROM quickbooks_references
             WHERE realm_id = $1 AND sku <> '' AND sku = ANY($4::text[])
            UNION ALL
            SELECT data FROM quickbooks_references
             WHERE realm_id = $1 AND entity = 'Item' AND quickbooks_id = ANY($5::text[])
            """,
            realm_id,
            list(names),
            list(emails),
            list(skus),
            list(item_ids),
        )
        return [row[0] for row in rows]

    async def with_id(self, realm_id: str, entity: str, id_: str) -> str | None:
        """One row as JSON text."""
        row: str | None = await self._pool.fetchval(
            """
            SELECT data FROM quickbooks_references
             WHERE realm_id = $1 AND entity = $2 AND quickbooks_id = $3
            """,
            realm_id,
            entity,
            id_,
        )
        return row
