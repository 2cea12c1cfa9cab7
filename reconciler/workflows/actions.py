"""Actions as written become `ActionSettings`: checked against the rules, company defaults applied.

`load` calls `action` for each entry of `actions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from reconciler.model import Action, ObjectType
from reconciler.workflows import legality
from reconciler.workflows.definitions import (
    ActionSettings,
    Company,
    CustomerSource,
    OnChange,
    OnDrift,
    PartialRefunds,
    ProductSource,
)
from reconciler.workflows.lines import Path, Source
from reconciler.workflows.problems import did_you_mean, listed, shown
from reconciler.workflows.schema import ActionWritten, Choices
from reconciler.workflows.wording import validate

_NO_CHOICES = Choices.model_validate({})


class Place(NamedTuple):
    """Where an action stands, and what its workflow says."""

    source: Source
    path: Path
    object_type: ObjectType | None
    write_back: bool

    def add(self, message: str, *keys: str, of_key: bool = False) -> None:
        self.source.add((*self.path, *keys), message, of_key=of_key)


def action(
    place: Place,
    data: object,
    companies: Mapping[str, Company],
    defaults: Mapping[str, Choices],
) -> ActionSettings | None:
    """The settings of one action, or None after adding its problems to the source."""
    written = validate(ActionWritten, data, place.source, place.path)
    if not isinstance(data, dict):
        return None
    company = _company(place, data.get("company"), companies)
    kind = _action_kind(data.get("create"))
    fallback = defaults.get(company.name, _NO_CHOICES) if company else _NO_CHOICES
    if kind is not None:
        _check(place, kind, data, fallback, company)
    if written is None or company is None or kind is None:
        return None
    _check_product(place, written, company)
    return _settings(place, kind, written, fallback, company)


def _action_kind(written: object) -> Action | None:
    return Action(written) if isinstance(written, str) and written in list(Action) else None


def _company(place: Place, name: object, companies: Mapping[str, Company]) -> Company | None:
    if not isinstance(name, str):
        return None
    found = companies.get(name.strip())
    if found is None:
        known = list(companies)
        instead = f"write {listed(known)}" if known else "add it under companies"
        place.add(
            f"company {shown(name)} is not under companies: {instead}{did_you_mean(name, known)}",
            "company",
        )
    return found


def _check(
    place: Place, kind: Action, data: dict[str, Any], fallback: Choices, company: Company | None
) -> None:
    if place.object_type is not None:
        problem = legality.pairing(place.object_type, kind)
        if problem:
            place.add(problem, "create")
            return
    chosen = frozenset(data)
    for key, sentence in legality.choices(kind, chosen):
        place.add(sentence, key, of_key=True)
    given = chosen | {key for key, value in fallback if value is not None}
    if company is not None or isinstance(data.get("company"), str):
        for sentence in legality.missing(kind, given, str(data.get("company"))):
            place.add(sentence, "create")
    policy = data.get("on_change")
    if policy in list(OnChange):
        problem = legality.on_change_problem(kind, OnChange(policy))
        if problem:
            place.add(problem, "on_change")
    if data.get("on_drift") == OnDrift.RECREATE and kind is Action.PAID_INVOICE:
        place.add(
            "a paid invoice can't be recreated, its payment stays in QuickBooks: write report",
            "on_drift",
        )


def _check_product(place: Place, written: ActionWritten, company: Company) -> None:
    if written.product is None or written.product[0] != "id_map":
        return
    if not company.product_map:
        place.add(
            f"id_map needs a map: write `product_map: {{HubSpot product id: QuickBooks item id}}` "
            f"under companies.{company.name}",
            "product",
        )
    if written.create_missing_products:
        place.add(
            "id_map names products that exist: write `create_missing_products: no`",
            "create_missing_products",
        )


def _settings(
    place: Place, kind: Action, written: ActionWritten, fallback: Choices, company: Company
) -> ActionSettings:
    def chosen(key: str) -> str:
        """The action's own choice, else the company's default where this document has the key."""
        own = getattr(written, key)
        if own is None and legality.has(kind, key):
            own = getattr(fallback, key)
        return own or ""

    days = written.due_in_days
    if days is None and legality.has(kind, "due_in_days") and written.payment_terms is None:
        days = fallback.due_in_days
    return ActionSettings(
        action=kind,
        company=company,
        customer=CustomerSource(*(written.customer or ("contact", ""))),
        product=ProductSource(*(written.product or ("sku_or_name", ""))),
        create_missing_products=bool(written.create_missing_products),
        payment_terms=chosen("payment_terms"),
        due_in_days=days,
        memo=chosen("memo"),
        document_number=chosen("document_number"),
        custom_fields=tuple((written.custom_fields or {}).items()),
        class_name=chosen("class_name"),
        department=chosen("department"),
        deposit_account=chosen("deposit_account"),
        bank_account=chosen("bank_account"),
        expense_account=chosen("expense_account"),
        vendor=chosen("vendor"),
        payment_method=chosen("payment_method"),
        partial_refunds=written.partial_refunds or PartialRefunds.NONE,
        on_change=written.on_change or OnChange.REPORT,
        on_drift=written.on_drift or OnDrift.REPORT,
        write_back=place.write_back,
        line=place.source.mark((*place.path, "create")).line,
    )
