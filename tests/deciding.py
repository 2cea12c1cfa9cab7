"""Pure intake for tests: changes in batches are folded and decided over a ledger that is a dict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from reconciler.deciding.decide import Verdict, decide, examine
from reconciler.deciding.enrolling import InLedger, Unwanted
from reconciler.model import (
    Action,
    Change,
    ChangeKind,
    DocumentContent,
    DocumentKey,
    DocumentState,
    ObjectKey,
    ObjectType,
    Related,
    SourceObject,
)
from reconciler.objects.fold import fold
from reconciler.objects.reading import stamp
from reconciler.service.assembly import watched
from reconciler.workflows import WorkflowFile, load

PORTAL, REALM = 4711, "9341450000000001"
AT = 1_769_817_600_000  # 31 January 2026, 00:00 UTC
DAY = 86_400_000
ADA = {"firstname": "Ada", "lastname": "Byron", "email": "ada@example.com"}
LINE = {"name": "Rollout", "hs_sku": "R-1", "price": "100.00", "quantity": "1", "amount": "100.00"}

Items = Sequence[Mapping[str, str | None] | None]
_encode = msgspec.json.Encoder().encode


def file(workflows: str, company: str = "") -> WorkflowFile:
    """A workflow file with one company, `us`."""
    accounts = "{deposit_account: Undeposited Funds, bank_account: Checking, expense_account: Fees}"
    head = f'version: 1\nportal_id: {PORTAL}\ncompanies:\n  us:\n    realm_id: "{REALM}"\n'
    return load(f"{head}    defaults: {accounts}\n{company}workflows:\n{workflows}")


def one_workflow(
    object_type: str, create: str, more: str = "", *, enrol: str = "", rest: str = ""
) -> WorkflowFile:
    """A file with one workflow of one action; *more* is added to the action, *rest* beside it."""
    enrol = (
        enrol
        or {
            "deal": "[{preset: deal_won}]",
            "quote": "[{preset: quote_signed}]",
            "payment": "[{preset: payment_succeeded}]",
        }[object_type]
    )
    products = "" if create == "expense" else ", create_missing_products: yes"
    return file(
        f"  - name: Bill\n    object: {object_type}\n    enrol: {enrol}\n{rest}"
        f"    actions: [{{create: {create}, company: us{products}{more}}}]\n"
    )


def snapshot(
    type_: ObjectType,
    properties: Mapping[str, str | None],
    *,
    at: int = AT,
    lines: Items | None = (LINE,),
    contacts: Items | None = (ADA,),
    id_: str = "1",
    **lists: tuple[Related, ...],
) -> Change:
    """A whole object as HubSpot knows it at *at*; None leaves a list out, a None item only has its id."""
    whole = dict(lists)
    if lines is not None:
        whole["line_items"] = _related(lines, "7", at)
    if contacts is not None:
        whole["contacts"] = _related(contacts, "8", at)
    key = ObjectKey(PORTAL, type_, id_)
    return Change(
        key=key, at=at, kind=ChangeKind.SNAPSHOT, properties=dict(properties), lists=whole
    )


def _related(items: Items, prefix: str, at: int) -> tuple[Related, ...]:
    return tuple(
        Related(f"{prefix}{number}", None if each is None else dict(each), at)
        for number, each in enumerate(items, start=1)
    )


def deal(
    at: int = AT,
    lines: Items | None = (LINE,),
    contacts: Items | None = (ADA,),
    **properties: str | None,
) -> Change:
    """A won deal."""
    facts = {"dealname": "Rollout", "dealstage": "closedwon", **properties}
    return snapshot(ObjectType.DEAL, facts, at=at, lines=lines, contacts=contacts)


def payment(
    at: int = AT,
    lines: Items | None = (LINE,),
    contacts: Items | None = (ADA,),
    **properties: str | None,
) -> Change:
    """A payment of 100.00 by card, collected, with fees of 3.20."""
    facts = {
        "hs_latest_status": "succeeded",
        "hs_initial_amount": "100.00",
        "hs_fees_amount": "3.20",
        "hs_payment_method_type": "card",
        "hs_currency_code": "USD",
        **properties,
    }
    return snapshot(ObjectType.PAYMENT, facts, at=at, lines=lines, contacts=contacts)


def said(type_: ObjectType, at: int, id_: str = "1", **properties: str | None) -> Change:
    """A thin event: some properties changed."""
    key = ObjectKey(PORTAL, type_, id_)
    return Change(key=key, at=at, kind=ChangeKind.PROPERTY, properties=properties)


@dataclass
class Books:
    """Objects and ledger in memory, kept as `intake` and its store keep them."""

    file: WorkflowFile
    objects: dict[ObjectKey, SourceObject] = field(default_factory=dict)
    ledger: dict[DocumentKey, InLedger] = field(default_factory=dict)

    def take(self, *changes: Change) -> list[Verdict]:
        """One batch; answers its verdicts."""
        by_object: dict[ObjectKey, list[Change]] = {}
        for change in changes:
            by_object.setdefault(change.key, []).append(change)
        verdicts = []
        for key, of_object in by_object.items():
            before = self.objects.get(key)
            after = fold(before, of_object, watched(self.file))
            if after is before:
                continue
            self.objects[key] = after
            known = {each: entry for each, entry in self.ledger.items() if each.source == key}
            verdicts += decide(after, before, self.file.workflows, known)
        for verdict in verdicts:
            self._record(verdict)
        return verdicts

    def _record(self, verdict: Verdict) -> None:
        known = self.ledger.get(verdict.key)
        if known is not None and not known.is_open:
            return
        content = None if verdict.content is None else _encode(verdict.content).decode()
        enrolled_at = verdict.enrolled_at or (known.enrolled_at if known else 0)
        self.ledger[verdict.key] = InLedger(
            verdict.state, verdict.workflow, True, content, enrolled_at
        )

    def send(self, *enrolments: int) -> None:
        """Send what is wanted; only these enrolments if any are given."""
        for key, entry in self.ledger.items():
            if entry.state is DocumentState.WANTED and (
                not enrolments or key.enrolment in enrolments
            ):
                self.ledger[key] = entry._replace(state=DocumentState.CREATED, is_open=False)

    def contents(self) -> dict[DocumentKey, DocumentContent]:
        """What every document that is wanted or sent says."""
        states = (DocumentState.WANTED, DocumentState.CREATED)
        return {
            key: msgspec.json.decode(entry.content, type=DocumentContent)
            for key, entry in self.ledger.items()
            if entry.content is not None and entry.state in states
        }


def verdicts(file: WorkflowFile, *changes: Change) -> list[Verdict]:
    """What comes of these changes in one batch."""
    return Books(file).take(*changes)


def only(file: WorkflowFile, *changes: Change) -> Verdict:
    """The one verdict that comes of these changes."""
    (found,) = verdicts(file, *changes)
    return found


def made(file: WorkflowFile, *changes: Change) -> DocumentContent:
    """The one document that comes of these changes."""
    found = only(file, *changes)
    assert found.content is not None, (found.state, found.detail)
    return found.content


def unwanted(file: WorkflowFile, *changes: Change) -> Unwanted:
    """Why nothing comes of these changes."""
    obj = fold(None, changes, watched(file))
    (found,) = examine(obj, None, file.workflows, {})
    assert isinstance(found, Unwanted), found
    return found


def by_action(found: Iterable[Verdict]) -> dict[Action, Verdict]:
    """Verdicts by what they create."""
    return {verdict.key.action: verdict for verdict in found}


def stamped(obj: SourceObject) -> dict[str, object]:
    """Give the canonical view: equal for two objects exactly when they know the same facts."""
    return {
        "key": obj.key,
        "properties": {
            name: (stamp(obj, name), obj.properties[name]) for name in sorted(obj.properties)
        },
        "history": {name: tuple(obj.history[name]) for name in sorted(obj.history)},
        "first_is_change": obj.first_is_change,
        "associations": {
            name: (held.at, tuple(held.ids), tuple(sorted(held.links.items())), held.primary)
            for name, held in sorted(obj.associations.items())
        },
        "related": {
            (name, one.id): (one.at, tuple(sorted((one.properties or {}).items())))
            for name, ones in sorted(obj.related.items())
            for one in ones.values()
        },
        "deleted": obj.deleted,
        "merged": obj.merged,
        "changed_at": obj.changed_at,
        "is_whole": obj.is_whole,
    }
