"""Owns the state of one QuickBooks company: tables, ledger, preferences, id sequences."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from reconciler.sandbox.clock import Clock
from reconciler.sandbox.fields.entities import ENTITIES
from reconciler.sandbox.ledger import Ledger
from reconciler.sandbox.switches import Switches
from reconciler.sandbox.table import Body, Table

PREFERENCES_ID = "1"


@dataclass(slots=True)
class Company:
    """A realm and its books."""

    realm: str
    country: str
    currency: str
    clock: Clock
    switches: Switches
    tables: dict[str, Table] = field(
        default_factory=lambda: {name: Table(one.indexed) for name, one in ENTITIES.items()}
    )
    ledger: Ledger = field(default_factory=Ledger)
    sequences: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    last_numbers: dict[str, str] = field(default_factory=dict)  # sequence of DocNumbers -> latest
    hidden: set[tuple[str, str]] | None = None  # created by the batch in work
    _preferences: tuple[bytes, dict[str, Any]] | None = None

    @property
    def is_us(self) -> bool:
        """Whether US rules of tax apply."""
        return self.country == "US"

    @property
    def preferences(self) -> dict[str, Any]:
        """The Preferences entity; not to be changed in place."""
        body = self.tables["Preferences"].rows[PREFERENCES_ID]
        if self._preferences is None or self._preferences[0] is not body:
            self._preferences = (body, self.tables["Preferences"].row(PREFERENCES_ID))
        return self._preferences[1]

    def preference(self, group: str, name: str, default: Any = None) -> Any:
        """One preference, such as `TaxPrefs`, `UsingSalesTax`."""
        return self.preferences.get(group, {}).get(name, default)

    def next_id(self, entity: str) -> str:
        """The next id of the entity's sequence."""
        sequence = ENTITIES[entity].sequence
        self.sequences[sequence] += 1
        return str(self.sequences[sequence])

    def get(self, entity: str, row_id: str) -> Body | None:
        """A copy of a row; None also for what the batch in work has created."""
        if self.hidden and (entity, row_id) in self.hidden:
            return None
        return self.tables[entity].get(row_id)

    def account(self, subtype: str) -> str:
        """Id of the company's account of this subtype."""
        return self.tables["Account"].find("AccountSubType", subtype)[0]
