"""YAML text as plain data that remembers the line and column of everything in it.

Called by `load`. Reads the JSON-like part of YAML (mappings, lists, text, numbers, true, false,
null); it refuses tags, duplicate keys, keys that aren't text, merge keys, and files so deep or so
repetitive that they were made to exhaust the reader. `yes` and `no` stay text until a field that
wants a boolean reads them, so a list of country codes may hold NO.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

import yaml

from reconciler.workflows.problems import Problem, shown

Path = tuple[str | int, ...]
Data = dict[str, "Data"] | list["Data"] | str | int | Decimal | bool | None

_MAX_CHARACTERS = 1_000_000
_MAX_DEPTH = 40
_MAX_NODES = 100_000
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
_DECIMAL = re.compile(r"-?(0|[1-9]\d{0,17})\.\d{1,12}")
_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = {f"{_TAG}{name}" for name in ("str", "int", "float", "bool", "null", "timestamp")}


@dataclass(frozen=True, slots=True)
class Mark:
    """A 1-based place in the file."""

    line: int
    column: int


@dataclass
class Source:
    """The data of one file, the marks of its keys and values, and the problems found so far."""

    data: Data = None
    keys: dict[Path, Mark] = field(default_factory=dict)
    values: dict[Path, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def mark(self, path: Path, *, of_key: bool = False) -> Mark:
        """Where `path` stands; of what is missing, where the mapping that lacks it is named."""
        for length in range(len(path), 0, -1):
            place = path[:length]
            if of_key or length < len(path):
                found = self.keys.get(place) or self.values.get(place)
            else:
                found = self.values.get(place)
            if found:
                return found
        return self.values.get((), Mark(1, 1))

    def add(
        self, path: Path, message: str, *, of_key: bool = False, severity: str = "error"
    ) -> None:
        """Record a problem at `path`."""
        mark = self.mark(path, of_key=of_key)
        self.problems.append(Problem(mark.line, mark.column, written(path), message, severity))


def written(path: Path) -> str:
    """`workflows[2].actions[0].create`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def read(text: str) -> Source:
    """Parse `text`; what can't be read becomes a problem of the returned source, never an error."""
    source = Source()
    if len(text) > _MAX_CHARACTERS:
        source.add((), f"the file is larger than {_MAX_CHARACTERS:,} characters: split it")
        return source
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        source.problems.append(_unreadable(text, error))
    except yaml.MarkedYAMLError as error:
        source.problems.append(_syntax(error))
    except RecursionError:
        source.add((), "the file is nested too deeply: workflows need six levels")
    except (yaml.YAMLError, ValueError, AttributeError) as error:  # PyYAML's own gaps
        source.add((), f"not YAML: {shown(error)}")
    else:
        if root is None:
            source.add((), "the file is empty: write at least version, companies and workflows")
        else:
            source.data = _Builder(source).build(root, (), 0)
    return source


def _unreadable(text: str, error: yaml.reader.ReaderError) -> Problem:
    before = text[: error.position]
    line = before.count("\n") + 1
    column = len(before) - before.rfind("\n")
    return Problem(
        line, column, "", f"character U+{ord(text[error.position]):04X} can't be used: remove it"
    )


def _syntax(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    place = Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)
    what = error.problem or error.context or "unreadable"
    where = ""
    if error.context and error.context_mark and mark and error.context_mark.line != mark.line:
        where = f" {error.context} that starts on line {error.context_mark.line + 1}"
    return Problem(place.line, place.column, "", f"not YAML: {what}{where}; {_advice(what)}")


def _advice(what: str) -> str:
    if "\\t" in what:
        return "indent with spaces, not tabs"
    if "mapping values are not allowed" in what:
        return "put text that holds `: ` in quotes, and check the indentation"
    if "alias" in what or "anchor" in what:
        return "put text that starts with * or & in quotes"
    return "check the indentation, quotes and brackets here and on the line above"


class _Builder:
    """Turns composed nodes into data, noting marks on the way."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._nodes = 0

    def build(self, node: yaml.Node, path: Path, depth: int) -> Data:
        self._nodes += 1
        self._source.values[path] = _place(node)
        if depth > _MAX_DEPTH or self._nodes > _MAX_NODES:
            if self._nodes < 2 * _MAX_NODES:
                self._nodes = 2 * _MAX_NODES  # say it once
                self._source.add(path, "nested too deeply or repeated too often by aliases")
            return None
        if isinstance(node, yaml.MappingNode):
            self._check_tag(node, path, f"{_TAG}map")
            return {
                key: self.build(value, (*path, key), depth + 1)
                for key, value in self._entries(node, path)
            }
        if isinstance(node, yaml.SequenceNode):
            self._check_tag(node, path, f"{_TAG}seq")
            return [self.build(n, (*path, i), depth + 1) for i, n in enumerate(node.value)]
        if node.tag not in _PLAIN_TAGS:
            self._check_tag(node, path, "")
        return _scalar(node) if isinstance(node, yaml.ScalarNode) else None

    def _entries(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, yaml.Node]]:
        seen: dict[str, Mark] = {}
        for key_node, value_node in node.value:
            place = _place(key_node)
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == f"{_TAG}null":
                self._report(place, path, "a key must be text")
                continue
            key = str(key_node.value)
            if key_node.tag == f"{_TAG}merge":
                self._report(place, path, "merge keys are not read: write the lines out")
            elif key in seen:
                first = seen[key].line
                message = f"`{key}` is written twice (first on line {first}): keep one"
                self._report(place, (*path, key), message)
            else:
                seen[key] = self._source.keys[*path, key] = place
                yield key, value_node

    def _check_tag(self, node: yaml.Node, path: Path, expected: str) -> None:
        if node.tag != expected:
            message = f"the tag {shown(node.tag)} is not read: write plain text"
            self._report(_place(node), path, message)

    def _report(self, place: Mark, path: Path, message: str) -> None:
        self._source.problems.append(Problem(place.line, place.column, written(path), message))


def _place(node: yaml.Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)


def _scalar(node: yaml.ScalarNode) -> Data:
    """A quoted scalar is text; a plain one may be null, true, false or a decimal number."""
    raw: str = node.value
    if node.style is not None or node.tag == f"{_TAG}str":
        return raw
    if raw in ("", "~") or raw.lower() == "null":
        return None
    if raw.lower() in ("true", "false"):
        return raw.lower() == "true"
    if _INTEGER.fullmatch(raw):
        return int(raw)
    return Decimal(raw) if _DECIMAL.fullmatch(raw) else raw
