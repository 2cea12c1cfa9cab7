"""The contacts of the demo's HubSpot portal, with the names that break naive code.

Called by the stories. A person is one contact with one id; the same person may turn up on many
deals, and two people may share a name.
"""

from __future__ import annotations

import unicodedata
from itertools import cycle
from random import Random
from typing import NamedTuple

from reconciler.demo import catalogue
from reconciler.demo.expectation import Party
from reconciler.demo.ids import Ids

_FIRST = (
    "Ada", "Ben", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hana", "Ivo", "Jamal", "Kenji",
    "Lucía", "Mona", "Nils", "Oksana", "Pía", "Quentin", "Rosa", "Søren", "Tomás", "Uma", "Viktor",
    "Wanda", "Xin", "Yusuf", "Zofia",
)  # fmt: skip
_LAST = (
    "Abara", "Brandt", "Castillo", "Dubois", "Eriksen", "Ferrari", "García", "Haddad", "Ivanova",
    "Jensen", "Kowalska", "Lindqvist", "Meyer", "Nakamura", "Oyelaran", "Petrov", "Quist", "Rossi",
    "Silva", "Tanaka", "Ueda", "Varga", "Wójcik", "Yılmaz", "Zeman",
)  # fmt: skip
_TRADES = ("Freight", "Analytics", "Bakery", "Optics", "Architects", "Robotics", "Press", "Labs")

# Legal in HubSpot; QuickBooks refuses colon, tab and newline in names, and quotes, backslashes
# and the like must survive a query.
_AWKWARD = (
    Party("Séamus “Shay”", "O'Brien", "o'brien+billing@shay.example"),
    Party('Robert "Bob"', "Tables'; --", "bob@tables.example"),
    Party("Back\\slash", "C:\\Temp", "c@backslash.example"),
    Party("太郎", "山田", "taro@yamada.example"),
    Party("Zoë 🚀", "Müller–Lüdenscheidt", "zoe@rakete.example"),
    Party("Tab\tTabitha", "Newton", "tabitha@newton.example"),
    Party("Account: Payable", "Dept", "ap@colon.example"),
    Party("100% _Wild", "Card\\", "wild@card.example"),
    Party("Ali", "محمد", "ali@rtl.example"),
)
_NAMESAKES = (
    Party("Anna", "Schmidt", "anna.schmidt@north.example"),
    Party("Anna", "Schmidt", "anna.schmidt@south.example"),
)


class Person(NamedTuple):
    """One HubSpot contact."""

    id: str
    party: Party
    company: str
    phone: str
    lifecycle: str

    def properties(self) -> dict[str, str | None]:
        """As a hydrating feeder sends them."""
        return {
            "firstname": self.party.first,
            "lastname": self.party.last,
            "email": self.party.email,
            "company": self.company or None,
            "phone": self.phone or None,
            "lifecyclestage": self.lifecycle,
            "hs_object_id": self.id,
        }


class People:
    """Hands out contacts: strangers, regulars, and the awkward ones in turn."""

    def __init__(self, rng: Random, ids: Ids) -> None:
        self._rng, self._ids = rng, ids
        self._regulars: list[Person] = []
        self._fixed: dict[Party, Person] = {}
        self._awkward = cycle(_AWKWARD)
        self._namesakes = cycle(_NAMESAKES)

    def stranger(self, lifecycle: str = "customer") -> Person:
        """A contact never seen before; the email makes them unique, the name may not."""
        first, last = self._rng.choice(_FIRST), self._rng.choice(_LAST)
        trade = self._rng.choice(_TRADES)
        contact_id = self._ids.next("contact")
        email = f"{first}.{last}.{contact_id}@{trade}.example".lower()
        return Person(contact_id, Party(first, last, _ascii(email)), f"{last} {trade}",
                      f"+1 555 {self._rng.randrange(10**6):06d}", lifecycle)  # fmt: skip

    def anyone(self) -> Person:
        """Mostly someone who has bought before, as in a real portal."""
        if self._regulars and self._rng.random() < 0.6:
            return self._rng.choice(self._regulars)
        lifecycle = self._rng.choice(("lead", "customer", "opportunity"))
        return self._remembered(self.stranger(lifecycle))

    def several(self, first: Person) -> list[Person]:
        """*first* and perhaps others: only the first may end up on a document."""
        others = [self.stranger() for _ in range(self._rng.choice((0, 0, 0, 1, 2)))]
        return [first, *others]

    def awkward(self) -> Person:
        return self.named(next(self._awkward))

    def namesake(self) -> Person:
        """One of two people with the same name and different emails, by turns."""
        return self.named(next(self._namesakes))

    def named(self, party: Party) -> Person:
        """The contact for a fixed identity: one contact, however often asked for."""
        if party not in self._fixed:
            self._fixed[party] = Person(self._ids.next("contact"), party, "", "", "customer")
        return self._fixed[party]

    def known_customer(self, realm_id: str) -> Person:
        """Someone the company's books have already, under another display name."""
        east = realm_id == catalogue.US_EAST
        return self.named(catalogue.KNOWN_CUSTOMER_EAST if east else catalogue.KNOWN_CUSTOMER)

    def _remembered(self, person: Person) -> Person:
        self._regulars.append(person)
        return person


def _ascii(email: str) -> str:
    """Addresses are plain ASCII: accents are dropped, letters without a plain form too."""
    return unicodedata.normalize("NFKD", email).encode("ascii", "ignore").decode()
