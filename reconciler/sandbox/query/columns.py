"""Owns the columns of a statement: which may be asked for, and a row of only those.

Intuit's page on queries has no projections, but lists of columns are answered, and many programs
send them: `Id` always, what was asked for, and `sparse` true. Refused as not found are addresses,
InvoiceLink, CurrencyRef where there is one currency, and paths into objects other than MetaData
(field reports).
"""

from collections.abc import Iterable

from reconciler.sandbox.company import Company
from reconciler.sandbox.fields.entity import Entity
from reconciler.sandbox.fields.parts import ADDRESS
from reconciler.sandbox.table import Body

_NEVER = frozenset({"OtherAddr", "InvoiceLink"})


def column(company: Company, entity: Entity, asked: str) -> str | None:
    """The column in its own spelling; None where the entity has none of this name to select."""
    name, _, part = asked.partition(".")
    known = next((one for one in ("Id", *entity.fields) if one.lower() == name.lower()), None)
    if known is None or known in _NEVER or entity.fields.get(known) is ADDRESS:
        return None
    if known == "CurrencyRef":
        multi = company.preference("CurrencyPrefs", "MultiCurrencyEnabled", False)
        return known if multi and not part else None
    if not part:
        return known
    times = ("CreateTime", "LastUpdatedTime") if known == "MetaData" else ()
    return next((f"{known}.{one}" for one in times if one.lower() == part.lower()), None)


def projected(row: Body, columns: Iterable[str]) -> Body:
    """The row with only these columns, and its Id."""
    kept: Body = {"domain": "QBO", "sparse": True, "Id": row["Id"]}
    for path in columns:
        name, _, part = path.partition(".")
        if name not in row:
            continue
        if part:
            kept[name] = {**kept.get(name, {}), part: row[name][part]}
        else:
            kept[name] = row[name]
    return kept | {"sparse": True}
