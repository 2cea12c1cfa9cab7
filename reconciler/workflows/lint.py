"""Warnings about a workflow file that is valid and may still not do what its author wants.

`check` and `doctor` print them, the console shows them. A warning stops nothing: what would put a wrong
document in the books is blocked at run time, whatever the file says.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from reconciler.model import Action, ObjectType
from reconciler.workflows.definitions import ActionSettings, ContactMode, Workflow, WorkflowFile
from reconciler.workflows.enrolment import Enrolment
from reconciler.workflows.filters import CONTACT_PREFIX, Condition
from reconciler.workflows.overlap import allowed_values, apart, never_holds, within_contact_filter
from reconciler.workflows.problems import Problem, did_you_mean, listed
from reconciler.workflows.values import folded
from reconciler.workflows.vocabulary import NAMES, VALUES

BILLING = frozenset({Action.INVOICE, Action.SALES_RECEIPT, Action.PAID_INVOICE})
_RECEIVING = frozenset({Action.SALES_RECEIPT, Action.PAID_INVOICE})
_SOURCE_APP = "hs_payment_source_app"
_SIGNERS = "hs_esign_num_signers_completed"


def lint(file: WorkflowFile) -> tuple[Problem, ...]:
    """Every warning, in the order of the file."""
    found = [*_unused_companies(file), *_twice(file), *_linked(file)]
    for workflow in file.workflows:
        found += [*_disabled(workflow), *_filters(workflow), *_actions(workflow)]
    return tuple(sorted(set(found)))


def _warning(line: int, where: str, message: str) -> Problem:
    return Problem(line, 1, where, message, "warning")


# --- one workflow ----------------------------------------------------------------------------


def _disabled(workflow: Workflow) -> Iterator[Problem]:
    if not workflow.enabled:
        yield _warning(
            workflow.line, workflow.name, "is off: it creates nothing until `enabled: true`"
        )


def _filters(workflow: Workflow) -> Iterator[Problem]:
    for enrolment in (workflow.enrol, workflow.re_enrol):
        for group in enrolment.groups if enrolment else ():
            if never_holds(group):
                yield _warning(
                    group.line, workflow.name, "two filters of this group exclude each other: "
                    "nothing enrols by it; put them in two groups",
                )  # fmt: skip
            for condition in group.conditions:
                for message in _slips(workflow.object_type, condition):
                    yield _warning(group.line, workflow.name, message)


def _slips(object_type: ObjectType, condition: Condition) -> Iterator[str]:
    if condition.operator == "preset":
        return
    name = condition.properties[0]
    if name == _SIGNERS and condition.operator == "is_known":
        yield (
            f"{_SIGNERS} is known at 0 of 2 signatures already: "
            "write {preset: quote_signed} for quotes that everyone has signed"
        )
    kind = ObjectType.CONTACT if name.startswith(CONTACT_PREFIX) else object_type
    bare = name.removeprefix(CONTACT_PREFIX)
    if bare not in NAMES[kind]:
        hint = did_you_mean(bare, NAMES[kind])
        close = hint and _distance_is_small(bare, hint)
        if close:
            yield f"{bare} is not one of HubSpot's {kind} properties{hint}; fine if it is your own"
    known = VALUES.get(bare)
    if known and condition.operator in ("is_equal_to", "is_any_of", "changed_to", "is_none_of"):
        for operand in condition.operands:
            if folded(operand) not in known:
                yield f"{bare} is never '{operand}' in HubSpot{did_you_mean(operand, known)}"


def _distance_is_small(written: str, hint: str) -> bool:
    meant = hint.partition("mean ")[2].rstrip("?)")
    return abs(len(meant) - len(written)) <= 2 and meant[:2] == written[:2]


def _actions(workflow: Workflow) -> Iterator[Problem]:
    for settings in workflow.actions:
        for message in (_wider(workflow, settings), _no_deposit(settings)):
            if message:
                yield _warning(settings.line, workflow.name, message)
        if workflow.object_type is ObjectType.PAYMENT and settings.action in BILLING:
            yield from _invoice_source(workflow, settings)


def _wider(workflow: Workflow, settings: ActionSettings) -> str:
    """R12: what the contact filter refuses is enrolled only to be blocked."""
    company = settings.company
    if company.contacts is not ContactMode.DATA_SYNC or company.contact_filter is None:
        return ""
    if settings.customer.kind != "contact" or settings.action is Action.EXPENSE:
        return ""
    if within_contact_filter(workflow.enrol, company.contact_filter):
        return ""
    example = next(iter(company.contact_filter.groups[0].conditions))
    return (
        f"enrols a {workflow.object_type} whose contact the contact_filter of {company.name} "
        f"refuses, and blocks it: repeat that filter in every group, as "
        f"`property: contact.{example.properties[0]}`"
    )


def _no_deposit(settings: ActionSettings) -> str:
    if settings.deposit_account or settings.action not in _RECEIVING:
        return ""
    return (
        "names no `deposit_account`: QuickBooks puts the money in Undeposited Funds; "
        f"write it here, or under companies.{settings.company.name}.defaults"
    )


def _invoice_source(workflow: Workflow, settings: ActionSettings) -> Iterator[Problem]:
    """R31: payments made against an invoice are in the books with that invoice."""
    for group in workflow.enrol.groups:
        if "invoice" in allowed_values(group, _SOURCE_APP, VALUES[_SOURCE_APP]):
            words = settings.action.value.replace("_", " ")
            missing = f"{{property: {_SOURCE_APP}, operator: is_none_of, values: [INVOICE]}}"
            yield _warning(
                group.line, workflow.name,
                f"lets in payments of invoices, for which no {words} is ever created: "
                f"add {missing} to the group",
            )  # fmt: skip


# --- several workflows -----------------------------------------------------------------------


def _unused_companies(file: WorkflowFile) -> Iterator[Problem]:
    used = {s.company.name for w in file.workflows if w.enabled for s in w.actions}
    for company in file.companies.values():
        if company.name not in used:
            yield _warning(company.line, company.name, "no workflow that is on uses this company")


def _on(file: WorkflowFile) -> list[Workflow]:
    return [workflow for workflow in file.workflows if workflow.enabled]


def _twice(file: WorkflowFile) -> Iterator[Problem]:
    """Two actions that want a document each of the same object."""
    pairs = [(workflow, settings) for workflow in _on(file) for settings in workflow.actions]
    for (one, first), (other, second) in combinations(pairs, 2):
        if one.object_type is not other.object_type or _apart(one.enrol, other.enrol, one is other):
            continue
        where = f"'{one.name}' (line {first.line})"
        if first.action is second.action and first.company.name == second.company.name:
            message = (
                f"{where} creates the same document of the same {one.object_type}: only one is "
                "created; remove one action, or add filters that keep them apart"
            )
        elif {first.action, second.action} <= BILLING:
            message = (
                f"{where} bills the same {one.object_type} already: the second document is "
                "blocked; add filters that keep them apart, on a property that does not change "
                "with time"
            )
        else:
            continue
        yield _warning(second.line, other.name, message)


def _apart(one: Enrolment, other: Enrolment, same: bool) -> bool:
    return not same and apart(one, other)


def _linked(file: WorkflowFile) -> Iterator[Problem]:
    """A deal and its quote, or a payment and its deal or quote, billed by a workflow each."""
    billing = [
        workflow for workflow in _on(file) if any(s.action in BILLING for s in workflow.actions)
    ]
    for position, workflow in enumerate(billing):
        earlier = [
            f"'{other.name}' (line {other.line})"
            for other in billing[:position]
            if other.object_type is not workflow.object_type and _may_be_linked(workflow, other)
        ]
        if earlier:
            yield _warning(
                workflow.line, workflow.name,
                f"a {workflow.object_type} may belong to what {listed(earlier)} bills: of linked "
                "objects only the first is billed, the others are blocked and name it",
            )  # fmt: skip


def _may_be_linked(one: Workflow, other: Workflow) -> bool:
    payments = [each for each in (one, other) if each.object_type is ObjectType.PAYMENT]
    if not payments:
        return True
    kinds = {one.object_type, other.object_type}
    sources = {"quote"} if ObjectType.QUOTE in kinds else {"quote", "sales_checkout"}
    return any(
        sources & allowed_values(group, _SOURCE_APP, VALUES[_SOURCE_APP])
        for group in payments[0].enrol.groups
    )
