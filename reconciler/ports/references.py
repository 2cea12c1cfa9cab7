"""A company's facts and name lists as stored: what documents may refer to.

`directory` asks `ReferenceList` for these; `store.references` answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from reconciler.ports.dispatch import Lease


class StoredReference(NamedTuple):
    """One row of a company's name lists; `data` is the whole reference as JSON text."""

    entity: str
    id: str
    sync_token: str
    active: bool
    name_key: str
    email_key: str
    sku: str
    data: str


class CompanyRecord(NamedTuple):
    """What is stored about a company; `facts` is JSON text, None until they were read."""

    realm_id: str
    name: str
    facts: str | None
    connection: str
    connection_detail: str
    references_loaded_at: datetime | None
    references_changed_since: datetime | None


class ReferenceList(Protocol):
    """A company's facts and name lists as stored (`store.references.ReferenceStore`)."""

    async def company(self, realm_id: str) -> CompanyRecord | None: ...
    async def save_facts(self, lease: Lease, facts: str) -> None: ...
    async def set_connection(self, lease: Lease, connection_state: str, detail: str) -> None: ...
    async def save(
        self,
        lease: Lease,
        rows: Sequence[StoredReference],
        *,
        changed_since: datetime | None = None,
        replace: bool = False,
    ) -> None: ...
    async def small_lists(self, realm_id: str) -> list[str]: ...
    async def find(
        self,
        realm_id: str,
        names: Sequence[str],
        emails: Sequence[str],
        skus: Sequence[str],
        item_ids: Sequence[str],
    ) -> list[str]: ...
    async def with_id(self, realm_id: str, entity: str, id_: str) -> str | None: ...
