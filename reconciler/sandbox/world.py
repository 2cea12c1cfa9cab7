"""Owns the whole sandbox's state: its realms, clock, default switches and planned misfortunes."""

from dataclasses import dataclass, field

import msgspec

from reconciler.sandbox.chart import open_company
from reconciler.sandbox.clock import Clock
from reconciler.sandbox.company import Company
from reconciler.sandbox.limits import Limits
from reconciler.sandbox.misfortunes import Misfortunes
from reconciler.sandbox.realm import Listener, Realm
from reconciler.sandbox.replay import Replays
from reconciler.sandbox.switches import Switches, changed


@dataclass(slots=True)
class World:
    """Everything one sandbox process holds."""

    limits_enforced: bool = True
    token: str = ""  # the one accepted bearer; empty: any
    clock: Clock = field(default_factory=Clock)
    switches: Switches = field(default_factory=Switches)
    realms: dict[str, Realm] = field(default_factory=dict)
    misfortunes: Misfortunes = field(default_factory=Misfortunes)
    listeners: list[Listener] = field(default_factory=list)

    def add_realm(self, realm: str, country: str, currency: str) -> Realm:
        """Open a company in a new realm."""
        held = self.empty_realm(realm, country, currency)
        held.committed(open_company(held.company))
        held.counts.reset()
        return held

    def empty_realm(self, realm: str, country: str, currency: str) -> Realm:
        """A realm without anything in it, to be filled from the log."""
        own = msgspec.structs.replace(self.switches)
        company = Company(realm, country.upper(), currency.upper(), self.clock, own)
        limits = Limits(self.clock, self.limits_enforced)
        held = Realm(company, limits, Replays(company), listeners=self.listeners)
        self.realms[realm] = held
        return held

    def switch(self, changes: dict[str, object], realm: str = "") -> Switches:
        """Change switches for one realm, or for all there are and will be."""
        if realm:
            company = self.realms[realm].company
            company.switches = changed(company.switches, changes)
            return company.switches
        self.switches = changed(self.switches, changes)
        for held in self.realms.values():
            held.company.switches = changed(held.company.switches, changes)
        return self.switches
