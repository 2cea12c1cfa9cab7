r"""Owns the grammar: `SELECT * | columns | COUNT(*) FROM Entity [WHERE …] [ORDERBY …] [paging]`.

A statement that doesn't parse is fault 4000 in the words of QuickBooks's own parser. Values stand
in single quotes; `\'` and `\\` are the escapes, doubling a quote is not one. No OR, no joins.
"""

import re
from dataclasses import dataclass

from reconciler.sandbox.faults import Error, Fault

_TOKEN = re.compile(
    r"""\s*(?:
        '(?P<text>(?:[^'\\]|\\.)*)'
      | (?P<op><=|>=|=|<|>)
      | (?P<mark>[*(),])
      | (?P<word>[A-Za-z_][\w.]*)
      | (?P<number>-?\d[\w.:+-]*)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_TYPOGRAPHIC = re.compile("[\u2010-\u2015\u2018-\u201f]")


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a WHERE clause; `IN` has several values."""

    path: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A statement as read."""

    entity: str
    counts: bool
    columns: tuple[str, ...]
    conditions: tuple[Condition, ...]
    order: tuple[tuple[str, bool], ...]  # path, descending
    start: int
    limit: int | None


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse(statement: str, refuse_typographic: bool = False) -> Query:
    """Read a statement; raises the 4000 fault."""
    if refuse_typographic and (found := _TYPOGRAPHIC.search(statement)):
        raise _lexical(statement, found.start())
    return _Parser(_tokens(statement)).query()


def _tokens(statement: str) -> list[_Token]:
    statement = statement.rstrip().removesuffix(";").rstrip()
    tokens: list[_Token] = []
    at = 0
    while at < len(statement):
        found = _TOKEN.match(statement, at)
        if found is None or found.lastgroup is None:
            raise _lexical(statement, at)
        kind = found.lastgroup
        text = found.group(kind)
        tokens.append(
            _Token(kind, _ESCAPE.sub(r"\1", text) if kind == "text" else text, found.start(kind))
        )
        at = found.end()
    return tokens


def _lexical(statement: str, at: int) -> Fault:
    shown = statement[at : at + 1].strip() or statement[at + 1 : at + 2]
    return _unparsed(f'Lexical error at line 1, column {at + 1}.  Encountered: "{shown}"')


def _unparsed(text: str) -> Fault:
    return Fault(Error("4000", "Error parsing query", f"QueryParserError: {text}"))


class _Parser:
    """A recursive-descent reader of tokens."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0

    def query(self) -> Query:
        self._keyword("SELECT")
        counts, columns = self._selection()
        self._keyword("FROM")
        entity = self._word()
        conditions = self._conditions()
        order = self._order()
        start, limit = self._paging()
        if self._next < len(self._tokens):
            raise self._unexpected()
        return Query(entity, counts, columns, conditions, order, start, limit)

    def _selection(self) -> tuple[bool, tuple[str, ...]]:
        if self._accept("COUNT"):
            for mark in "(*)":
                self._mark(mark)
            return True, ()
        columns = [self._column()]
        while self._accept(","):
            columns.append(self._column())
        return False, tuple(columns)

    def _column(self) -> str:
        return "*" if self._accept("*") else self._word()

    def _conditions(self) -> tuple[Condition, ...]:
        if not self._accept("WHERE"):
            return ()
        found = [self._condition()]
        while self._accept("AND"):
            found.append(self._condition())
        return tuple(found)

    def _condition(self) -> Condition:
        path = self._word()
        if self._accept("IN"):
            self._mark("(")
            values = [self._value()]
            while self._accept(","):
                values.append(self._value())
            self._mark(")")
            return Condition(path, "IN", tuple(values))
        if self._accept("LIKE"):
            return Condition(path, "LIKE", (self._value(),))
        token = self._take("op")
        return Condition(path, token.text, (self._value(),))

    def _order(self) -> tuple[tuple[str, bool], ...]:
        if not self._accept("ORDERBY"):
            if not self._accept("ORDER"):
                return ()
            self._keyword("BY")
        found = [self._ordering()]
        while self._accept(","):
            found.append(self._ordering())
        return tuple(found)

    def _ordering(self) -> tuple[str, bool]:
        path = self._word()
        if self._accept("DESC"):
            return path, True
        self._accept("ASC")
        return path, False

    def _paging(self) -> tuple[int, int | None]:
        start, limit = 1, None
        while True:
            if self._accept("STARTPOSITION"):
                start = self._number()
            elif self._accept("MAXRESULTS"):
                limit = self._number()
            else:
                return start, limit

    def _number(self) -> int:
        token = self._take("number")
        if not token.text.isdigit():
            raise self._unexpected(-1)
        return int(token.text)

    def _value(self) -> str:
        """A quoted text; numbers, dates, true and false may go without quotes."""
        token = self._peek()
        if token is None or token.kind not in {"text", "number", "word"}:
            raise self._unexpected()
        if token.kind == "word" and token.text.lower() not in {"true", "false"}:
            raise self._unexpected()
        self._next += 1
        return token.text

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _accept(self, text: str) -> bool:
        token = self._peek()
        if token is None or token.kind not in {"word", "mark"} or token.text.upper() != text:
            return False
        self._next += 1
        return True

    def _keyword(self, text: str) -> None:
        if not self._accept(text):
            raise self._unexpected()

    def _mark(self, text: str) -> None:
        self._keyword(text)

    def _word(self) -> str:
        return self._take("word").text

    def _take(self, kind: str) -> _Token:
        token = self._peek()
        if token is None or token.kind != kind:
            raise self._unexpected()
        self._next += 1
        return token

    def _unexpected(self, offset: int = 0) -> Fault:
        index = self._next + offset
        if index >= len(self._tokens):
            return _unparsed('Encountered " <EOF> "" at end of the statement.')
        token = self._tokens[index]
        return _unparsed(
            f'Encountered " <{token.kind.upper()}> "{token.text} "" at line 1, '
            f"column {token.at + 1}."
        )
