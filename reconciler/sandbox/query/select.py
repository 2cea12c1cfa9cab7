"""Owns selection: the rows a query means, by index where there is one, in order, by page."""

from collections.abc import Iterable, Iterator
from typing import Any

from reconciler.sandbox import reading
from reconciler.sandbox.clock import moment
from reconciler.sandbox.company import Company
from reconciler.sandbox.exact import encode, raw
from reconciler.sandbox.faults import Error, Fault
from reconciler.sandbox.fields.entities import BY_PATH
from reconciler.sandbox.fields.entity import Entity
from reconciler.sandbox.query.columns import column, projected
from reconciler.sandbox.query.conditions import Test, test_of, value_at
from reconciler.sandbox.query.grammar import Condition, Query, parse
from reconciler.sandbox.table import Body, Table

DEFAULT_PAGE = 100
MAX_PAGE = 1000
_ID_OPERATORS = frozenset({"=", "IN"})


def run(company: Company, statement: str, include: str = "") -> dict[str, Any]:
    """Answer a statement with the contents of `QueryResponse`; `include` is the URL's."""
    query = parse(statement, company.switches.query_raw_quotes_refused)
    entity = BY_PATH.get(query.entity.lower())
    if entity is None:
        raise invalid(f"Unknown entity: {query.entity}")
    _validate(entity, query)
    columns = _columns(company, entity, query)
    ids = _ordered(company, entity, query, _matching(company, entity, query))
    if query.counts:
        return {"totalCount": len(ids)}
    limit = DEFAULT_PAGE if query.limit is None else query.limit
    if company.switches.query_page_extra_row and query.limit is not None:
        limit += 1
    page = ids[query.start - 1 : query.start - 1 + limit]
    if not page:
        return {}
    rows = [raw(_shown(company, entity, one, columns, include)) for one in page]
    return {entity.name: rows, "startPosition": query.start, "maxResults": len(rows)}


def invalid(detail: str) -> Fault:
    """4001: a statement that parses but can't be answered."""
    return Fault(Error("4001", "Invalid query", f"Invalid query: QueryValidationError: {detail}"))


def _validate(entity: Entity, query: Query) -> None:
    for condition in query.conditions:
        _filterable(entity, condition.path)
        if condition.path.lower() == "id" and condition.operator not in _ID_OPERATORS:
            raise invalid(f"property 'Id' doesn't support operator {condition.operator}")
        if condition.path.lower().startswith("metadata.") and any(
            moment(one) is None for one in condition.values
        ):
            raise invalid(f"Invalid date value for {condition.path}: {condition.values[0]}")
    for path, _ in query.order:
        _filterable(entity, path)
    if query.limit is not None and query.limit > MAX_PAGE:
        raise invalid(f"value {query.limit} is too large. Max allowed value is {MAX_PAGE}")
    if query.start < 1:
        raise invalid(f"value {query.start} is too small. Min allowed value is 1")


def _columns(company: Company, entity: Entity, query: Query) -> list[str]:
    """The columns asked for; none for all, whatever stands beside * (as clients send it)."""
    if "*" in query.columns:
        return []
    found: list[str] = []
    for asked in query.columns:
        known = column(company, entity, asked)
        if known is None:
            raise invalid(f"Property {asked} not found for Entity {entity.name}")
        found.append(known)
    return found


def _shown(
    company: Company, entity: Entity, row_id: str, columns: list[str], include: str
) -> bytes:
    if not columns:
        return reading.shown_body(company, entity.name, row_id, include)
    row = _full(company, entity, company.tables[entity.name].row(row_id))
    return encode(projected(row, columns))


def _filterable(entity: Entity, path: str) -> str:
    """The property in its own spelling; names compare without case."""
    for known in entity.filters:
        if known.lower() == path.lower():
            return known
    if path.split(".")[0] in entity.fields:
        raise invalid(f"property '{path}' is not queryable")
    raise invalid(f"Property {path} not found for Entity {entity.name}")


def _matching(company: Company, entity: Entity, query: Query) -> list[str]:
    table = company.tables[entity.name]
    conditions = [
        Condition(_filterable(entity, one.path), one.operator, one.values)
        for one in query.conditions
    ]
    candidates = _candidates(table, conditions)
    if not any(one.path == "Active" for one in conditions):
        candidates = (one for one in candidates if one not in table.inactive)
    case = company.switches.query_case_sensitive_values
    tests = [(one.path, test_of(one, case)) for one in conditions if one.path != "Id"]
    if not tests:
        return list(candidates)
    return [one for one in candidates if _passes(company, entity, one, tests)]


def _passes(company: Company, entity: Entity, row_id: str, tests: list[tuple[str, Test]]) -> bool:
    row = _full(company, entity, company.tables[entity.name].row(row_id))
    return all(test(value_at(row, path)) for path, test in tests)


def _full(company: Company, entity: Entity, row: Body) -> Body:
    return reading.shown(company, entity.name, row) if entity.name in reading.DERIVED else row


def _candidates(table: Table, conditions: list[Condition]) -> Iterable[str]:
    """The smallest set of rows an index offers; all rows when none does."""
    equal = [one for one in conditions if one.operator in _ID_OPERATORS]
    ranges = [one for one in conditions if one.operator not in _ID_OPERATORS]
    for tried in (equal, ranges):  # a range may name most rows: only where no equality helps
        found = [ids for one in tried if (ids := _indexed(table, one)) is not None]
        if found:
            return min(found, key=len)
    return table.rows


def _indexed(table: Table, condition: Condition) -> list[str] | None:
    path = condition.path.removesuffix(".Address")
    if path == "Id":
        return [one for one in dict.fromkeys(condition.values) if one in table.rows]
    if path == "MetaData.LastUpdatedTime" and condition.operator in {">", ">=", "="}:
        since = moment(condition.values[0]) or 0.0
        return [one for one in table.changed_since(since) if one in table.rows]
    if path not in table.indexes:
        return None
    index = table.indexes[path]
    if condition.operator in _ID_OPERATORS:
        keys: Iterable[str] = (one.casefold() for one in condition.values)
    else:
        test = test_of(condition, case_sensitive=False)
        keys = [one for one in index if test(one)]
    return list(dict.fromkeys(_under(index, keys)))


def _under(index: dict[str, dict[str, None]], keys: Iterable[str]) -> Iterator[str]:
    for key in keys:
        yield from index.get(key, ())


def _ordered(company: Company, entity: Entity, query: Query, ids: list[str]) -> list[str]:
    if not query.conditions and not query.order:
        return ids if company.switches.query_default_order == "id" else ids[::-1]
    ids.sort(key=_by_id, reverse=company.switches.query_default_order != "id" and not query.order)
    for path, descending in reversed(query.order):
        known = _filterable(entity, path)
        if known == "Id":
            ids.sort(key=_by_id, reverse=descending)
            continue
        keys = {
            one: _sort_key(_full(company, entity, company.tables[entity.name].row(one)), known)
            for one in ids
        }
        ids.sort(key=keys.__getitem__, reverse=descending)
    return ids


def _by_id(row_id: str) -> tuple[int, str]:
    return (int(row_id), "") if row_id.isdigit() else (0, row_id)


def _sort_key(row: Body, path: str) -> tuple[int, Any]:
    value = value_at(row, path)
    if value is None:
        return 0, 0
    if isinstance(value, str):
        return 2, value.casefold()
    return 1, value
