"""Owns the memory of requestids: the answer a repeat gets instead of a second write.

Documented: a repeated `requestid` returns the original response, ids are unique per realm, at most
50 characters (36 in a batch, with bId at most 10). The rest is switched: how long, after deletion,
for name lists, with another body, while the first is still in work.
"""

import hashlib
from dataclasses import dataclass

from reconciler.sandbox import faults
from reconciler.sandbox.company import Company
from reconciler.sandbox.fields.entities import ENTITIES

MAX_LENGTH = 50
MAX_BATCH_LENGTH = 36
MAX_BID_LENGTH = 10


@dataclass(frozen=True, slots=True)
class Remembered:
    """The answer to one requestid."""

    entity: str
    row_id: str
    body: bytes
    digest: bytes
    at: float
    status: int = 200
    deleted: bool = False


def check_length(name: str, value: str, longest: int) -> None:
    """2050 for an id that is too long."""
    if len(value) > longest:
        raise faults.Fault(faults.wrong_length(name, 1, longest, len(value)))


def digest(data: bytes) -> bytes:
    """What a body is compared by."""
    return hashlib.blake2b(data, digest_size=8).digest()


class Replays:
    """Remembered answers of one company, the oldest first."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self._held: dict[str, Remembered] = {}

    def find(self, key: str, body_digest: bytes) -> Remembered | None:
        """The answer to repeat; raises 600 where the switch for another body says so."""
        self._expire()
        held = self._held.get(key)
        if held is None:
            return None
        switches = self._company.switches
        if held.entity:
            table = self._company.tables[held.entity]
            if (
                not switches.replay_after_delete
                and not held.deleted
                and held.row_id not in table.rows
            ):
                del self._held[key]
                return None
        if held.digest != body_digest and switches.changed_body_requestid == "600":
            raise faults.Fault(faults.duplicate_request(key))
        return held

    def honours(self, entity: str) -> bool:
        """Whether requestid works for this entity type."""
        return (
            ENTITIES[entity].is_transaction
            or self._company.switches.honour_requestid_for_name_lists
        )

    def remember(self, key: str, answer: Remembered) -> None:
        """Keep an answer."""
        self._held[key] = answer

    def _expire(self) -> None:
        oldest = self._company.clock.now() - self._company.switches.requestid_ttl_seconds
        while self._held:
            key = next(iter(self._held))
            if self._held[key].at > oldest:
                return
            del self._held[key]
