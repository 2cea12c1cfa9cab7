"""Workflows as the service uses them: frozen, checked, company defaults applied.

`load` makes them, `decide` and `dispatcher` read them. Nothing here knows YAML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import cached_property

from reconciler.model import SOURCE_TYPES, Action, ObjectType, SourceObject
from reconciler.workflows.enrolment import Enrolment
from reconciler.workflows.filters import CONTACT_PREFIX
from reconciler.workflows.templates import properties_in


class ContactMode(StrEnum):
    """How a contact becomes a customer (R7-R11)."""

    LEGACY = "legacy"  # matched on first name, last name and email; created if missing
    DATA_SYNC = "data_sync"  # must pass the contact filter, or nothing is created


class OnChange(StrEnum):
    """What to do when the source changes after its document exists."""

    REPORT = "report"
    UPDATE = "update"
    VOID_AND_RECREATE = "void_and_recreate"


class OnDrift(StrEnum):
    """What to do when a document was deleted or voided in QuickBooks."""

    REPORT = "report"
    RECREATE = "recreate"


class ClosedBooks(StrEnum):
    """What to do with a document dated in a period whose books are closed."""

    BLOCK = "block"
    FIRST_OPEN_DAY = "first_open_day"


class PartialRefunds(StrEnum):
    """Whether a partial refund makes a refund receipt of its own."""

    NONE = "none"
    RECEIPT = "receipt"


@dataclass(frozen=True, slots=True)
class CustomerSource:
    """Where the customer comes from: `contact`, `company` or `fixed`, which has a name."""

    kind: str = "contact"
    name: str = ""


@dataclass(frozen=True, slots=True)
class ProductSource:
    """How a line finds its product: `sku_or_name`, `sku`, `name`, `id_map`, or `fixed` by name."""

    kind: str = "sku_or_name"
    name: str = ""


@dataclass(frozen=True, slots=True)
class Company:
    """One QuickBooks company; `name` is the short name used in the file.

    `product_map` gives the QuickBooks item id of a HubSpot product id.
    """

    name: str
    realm_id: str
    timezone: str = "UTC"
    currency: str = "USD"
    contacts: ContactMode = ContactMode.LEGACY
    contact_filter: Enrolment | None = None
    product_map: Mapping[str, str] = field(default_factory=dict, hash=False)
    closed_books: ClosedBooks = ClosedBooks.BLOCK
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ActionSettings:
    """One action: everything chosen for the document it creates.

    "" (None for `due_in_days`) means not chosen. `memo`, `document_number` and the values of
    `custom_fields` are templates for `render`.
    """

    action: Action
    company: Company
    customer: CustomerSource = CustomerSource()
    product: ProductSource = ProductSource()
    create_missing_products: bool = False
    payment_terms: str = ""
    due_in_days: int | None = None
    memo: str = ""
    document_number: str = ""
    custom_fields: tuple[tuple[str, str], ...] = ()
    class_name: str = ""
    department: str = ""
    deposit_account: str = ""
    bank_account: str = ""
    expense_account: str = ""
    vendor: str = ""
    payment_method: str = ""
    partial_refunds: PartialRefunds = PartialRefunds.NONE
    on_change: OnChange = OnChange.REPORT
    on_drift: OnDrift = OnDrift.REPORT
    write_back: bool = False
    line: int = field(default=0, compare=False)

    def properties(self) -> frozenset[str]:
        """The object's properties that the templates read."""
        templates = (self.memo, self.document_number, *(text for _, text in self.custom_fields))
        return frozenset().union(*(properties_in(template) for template in templates))


@dataclass(frozen=True, slots=True)
class Workflow:
    """One workflow: which objects enrol, and the documents created for each."""

    name: str
    object_type: ObjectType
    enrol: Enrolment
    actions: tuple[ActionSettings, ...]
    enabled: bool = True
    re_enrol: Enrolment | None = None
    delay: timedelta = timedelta(0)
    line: int = field(default=0, compare=False)

    def enrolled_at(self, obj: SourceObject) -> tuple[int, ...]:
        """The instants (epoch ms) at which the object enrolled: first, second, ….

        Without `re_enrol` there is at most one. With it, every later instant at which the
        re-enrolment filters begin to hold, while the enrolment holds too, is another.
        """
        first = self.enrol.matches(obj)
        if first is None:
            return ()
        if self.re_enrol is None:
            return (first,)
        first = self._first(obj, first)
        enrolled = [first]
        held = self.re_enrol.holds_at(obj, first)
        for at in self._later(obj, first):
            holds = self.re_enrol.holds_at(obj, at)
            if holds and not held and self.enrol.holds_at(obj, at):
                enrolled.append(at)
            held = holds
        return tuple(enrolled)

    def _first(self, obj: SourceObject, heard: int) -> int:
        """The enrolment that the others are counted from: an earlier one, only assumed, stays the first
        where it had ended by the instant from which it is *heard* of. It may have its document."""
        assumed = self.enrol.matches(obj, assuming=True)
        if assumed is None or assumed >= heard:
            return heard
        between = (at for at in self._later(obj, assumed) if at < heard)
        has_ended = any(not self.enrol.holds_at(obj, at) for at in between)
        return assumed if has_ended else heard

    def _later(self, obj: SourceObject, first: int) -> list[int]:
        names = self.watched()
        instants = {at for name in names for at, _ in obj.history.get(name, ()) if at > first}
        return sorted(instants)

    def watched(self) -> frozenset[str]:
        """The object's own properties that enrolment and re-enrolment look at."""
        names = self.enrol.properties()
        if self.re_enrol is not None:
            names |= self.re_enrol.properties()
        return frozenset(name for name in names if not name.startswith(CONTACT_PREFIX))


@dataclass(frozen=True)
class WorkflowFile:
    """A whole workflow file. Workflows keep the order of the file."""

    version: int
    portal_id: int
    companies: dict[str, Company]
    workflows: tuple[Workflow, ...]

    @cached_property
    def enabled(self) -> dict[ObjectType, tuple[Workflow, ...]]:
        """The workflows that are on, by object type."""
        return {
            each: tuple(w for w in self.workflows if w.enabled and w.object_type is each)
            for each in SOURCE_TYPES
        }

    def watched(self) -> dict[ObjectType, frozenset[str]]:
        """Properties by object type whose history must be kept, for workflows on or off."""
        names: dict[ObjectType, frozenset[str]] = {}
        for workflow in self.workflows:
            known = names.get(workflow.object_type, frozenset())
            names[workflow.object_type] = known | workflow.watched()
        return names

    def properties(self) -> dict[ObjectType, frozenset[str]]:
        """Every property the file reads, by object type: what hydration must bring."""
        names = self.watched()
        contact: frozenset[str] = frozenset()
        for workflow in self.workflows:
            read = frozenset[str]().union(*(action.properties() for action in workflow.actions))
            names[workflow.object_type] |= read
            filters = [workflow.enrol, *([workflow.re_enrol] if workflow.re_enrol else [])]
            contact |= {
                name.removeprefix(CONTACT_PREFIX)
                for each in filters
                for name in each.properties()
                if name.startswith(CONTACT_PREFIX)
            }
        for company in self.companies.values():
            if company.contact_filter is not None:
                contact |= company.contact_filter.properties()
        return {**names, ObjectType.CONTACT: contact} if contact else names
