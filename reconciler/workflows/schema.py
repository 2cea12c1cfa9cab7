"""The workflow file as written: which keys there are, and what may stand behind each.

`load` validates each part on its own, so that one mistake hides no other. What pydantic finds is
put into words by `wording`. Rules that span several keys are in `legality`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from reconciler.model import Action
from reconciler.workflows.definitions import (
    ClosedBooks,
    ContactMode,
    OnChange,
    OnDrift,
    PartialRefunds,
)
from reconciler.workflows.problems import shown
from reconciler.workflows.templates import TemplateError, longest_literal, parse

_DELAY = re.compile(r"(\d{1,5}) (minute|hour|day|week)s?")
_DOCUMENT_NUMBER_MAX = 21  # QuickBooks: DocNumber on sales forms and purchases
_CUSTOM_FIELD_MAX = 31  # QuickBooks: CustomField.StringValue

CUSTOMER_SOURCES = ("contact", "company")
PRODUCT_SOURCES = ("sku_or_name", "sku", "name", "id_map")


def _template(text: str) -> str:
    try:
        parse(text)
    except TemplateError as error:
        raise ValueError(str(error)) from None
    return text


def _at_most(limit: int, what: str) -> AfterValidator:
    def check(text: str) -> str:
        if longest_literal(text) > limit:
            raise ValueError(f"{what} has at most {limit} characters: shorten it")
        return text

    return AfterValidator(check)


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ValueError(
            f"{shown(name)} is not a time zone: write one such as America/New_York or UTC"
        ) from None
    return name


def _realm(realm_id: str) -> str:
    if not re.fullmatch(r"[0-9]{6,20}", realm_id):
        raise ValueError(
            f"{shown(realm_id)} is not a realm id: write the digits QuickBooks shows as Company ID"
        )
    return realm_id


def _currency(code: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{3}", code):
        raise ValueError(f"{shown(code)} is not a currency: write three letters such as USD")
    return code.upper()


def _delay(value: object) -> object:
    found = _DELAY.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{shown(value)} is not a delay: write 30 minutes, 2 hours or 3 days")
    return timedelta(**{f"{found[2]}s": int(found[1])})


def _source(choices: tuple[str, ...], example: str) -> BeforeValidator:
    """`word` or `{fixed: name}`, kept as (kind, name)."""

    def check(value: object) -> object:
        if isinstance(value, str) and value in choices:
            return (value, "")
        if isinstance(value, dict) and list(value) == ["fixed"]:
            name = value["fixed"]
            if isinstance(name, str | int) and not isinstance(name, bool) and str(name).strip():
                return ("fixed", str(name).strip())
        raise ValueError(
            f"{shown(value)} is not a choice: write {', '.join(choices)} or {{fixed: {example}}}"
        )

    return BeforeValidator(check)


Text = Annotated[str, Field(min_length=1, max_length=200)]
Template = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_template)]
DocumentNumber = Annotated[Template, _at_most(_DOCUMENT_NUMBER_MAX, "a QuickBooks document number")]
CustomField = Annotated[Template, _at_most(_CUSTOM_FIELD_MAX, "a QuickBooks custom field")]
Days = Annotated[int, Field(ge=0, le=3650)]
Fixed = tuple[str, str]


class Written(BaseModel):
    """Common rules: unknown keys are errors, numbers may stand where text is wanted."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, str_strip_whitespace=True
    )


class FileWritten(Written):
    """The top of the file; companies and workflows are validated one by one."""

    version: Literal[1] = Field(examples=["1"])
    portal_id: int = Field(gt=0, examples=["4711"])
    companies: dict[str, Any] = Field(min_length=1, examples=['\n  us:\n    realm_id: "…"'])
    workflows: list[Any] = Field(examples=["[]"])


class Choices(Written):
    """What both an action and the defaults of a company may choose."""

    payment_terms: Text | None = Field(None, examples=["Net 30"])
    due_in_days: Days | None = Field(None, examples=["30"])
    memo: Template | None = Field(None, examples=["Thank you, {dealname}"])
    document_number: DocumentNumber | None = Field(None, examples=['"HS-{id}"'])
    class_name: Text | None = Field(None, alias="class", examples=["Consulting"])
    department: Text | None = Field(None, examples=["New York"])
    deposit_account: Text | None = Field(None, examples=["Undeposited Funds"])
    bank_account: Text | None = Field(None, examples=["Checking"])
    expense_account: Text | None = Field(None, examples=["Merchant fees"])
    vendor: Text | None = Field(None, examples=["HubSpot Payments"])
    payment_method: Text | None = Field(None, examples=["Credit card"])


class CompanyWritten(Written):
    """One entry of `companies`."""

    realm_id: Annotated[str, AfterValidator(_realm)] = Field(examples=['"9341450000000001"'])
    timezone: Annotated[str, AfterValidator(_time_zone)] = Field("UTC", examples=["UTC"])
    currency: Annotated[str, AfterValidator(_currency)] = Field("USD", examples=["USD"])
    contacts: ContactMode = Field(ContactMode.LEGACY, examples=["legacy"])
    contact_filter: Any = None
    product_map: dict[str, Text] = Field({}, examples=['{"1001": "17"}'])
    closed_books: ClosedBooks = Field(ClosedBooks.BLOCK, examples=["block"])
    defaults: Any = None


class ActionWritten(Choices):
    """One entry of `actions`."""

    create: Action = Field(examples=["invoice"])
    company: Text = Field(examples=["us"])
    customer: Annotated[Fixed, _source(CUSTOMER_SOURCES, "Walk-in customer")] | None = Field(
        None, examples=["contact"]
    )
    product: Annotated[Fixed, _source(PRODUCT_SOURCES, "Services")] | None = Field(
        None, examples=["sku_or_name"]
    )
    create_missing_products: bool | None = Field(None, examples=["yes"])
    custom_fields: dict[Annotated[str, Field(max_length=100)], CustomField] | None = Field(
        None, examples=['{PO number: "{po_number}"}']
    )
    partial_refunds: PartialRefunds | None = Field(None, examples=["receipt"])
    on_change: OnChange | None = Field(None, examples=["report"])
    on_drift: OnDrift | None = Field(None, examples=["report"])


class WorkflowWritten(Written):
    """One entry of `workflows`; its filters and actions are validated one by one."""

    name: Text = Field(examples=["Invoice won deals"])
    object: str = Field(examples=["deal"])
    enabled: bool = True
    enrol: Any = Field(examples=["\n  - - {preset: deal_won}"])
    re_enrol: Any = False
    delay: Annotated[timedelta, BeforeValidator(_delay)] = timedelta(0)
    write_back: bool = False
    actions: list[Any] = Field(min_length=1, examples=["\n  - create: invoice"])


class FilterWritten(Written):
    """One filter on a property; the operator is checked by `load`, which knows them all."""

    property: Annotated[str, Field(min_length=1, max_length=120)] = Field(examples=["dealstage"])
    operator: str = Field(examples=["is_any_of"])
    value: Any = None
    values: Any = None


class PresetWritten(Written):
    """A filter that is a name."""

    preset: str = Field(examples=["deal_won"])
