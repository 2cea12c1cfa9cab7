"""Reads a page as assistive technology does, and says what is wrong with it.

`Page.problems` holds the checks that need no style sheet: names of controls, order of headings,
ids, landmarks, captions. Contrast is measured in `tests/browser`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

_VOID = frozenset({"input", "meta", "link", "br", "img", "hr"})
_CONTROLS = frozenset({"input", "select", "textarea"})


@dataclass
class Element:
    """An element with its text and what is around it."""

    tag: str
    attributes: dict[str, str]
    parents: tuple[str, ...]
    text: str = ""


@dataclass
class Page:
    """An answer and what is on it."""

    path: str
    status: int
    body: str
    elements: list[Element] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What a person reads, white space made single."""
        root = next((each for each in self.elements if each.tag == "body"), None)
        return " ".join(root.text.split()) if root else ""

    @property
    def title(self) -> str:
        return next((each.text for each in self.elements if each.tag == "title"), "")

    @property
    def links(self) -> list[str]:
        """Where links lead, without fragments."""
        found = [each.attributes.get("href", "") for each in self.all("a")]
        return [href.partition("#")[0] for href in found if href.partition("#")[0]]

    def all(self, tag: str) -> list[Element]:
        return [each for each in self.elements if each.tag == tag]

    def form(self, action: str, **having: str) -> dict[str, str]:
        """The hidden fields of the first form with that action and those values."""
        for fields in self.forms.get(action, []):
            if having.items() <= fields.items():
                return dict(fields)
        raise AssertionError(f"no form for {action} with {having} on {self.path}")

    @property
    def forms(self) -> dict[str, list[dict[str, str]]]:
        found: dict[str, list[dict[str, str]]] = {}
        fields: dict[str, str] = {}
        for each in self.elements:
            if each.tag == "form":
                fields = {}
                found.setdefault(each.attributes.get("action", ""), []).append(fields)
            elif each.tag == "input" and each.attributes.get("type") == "hidden":
                fields[each.attributes["name"]] = each.attributes.get("value", "")
        return found

    def problems(self) -> list[str]:
        """What would keep somebody from using the page."""
        return [f"{self.path}: {problem}" for problem in _problems(self)]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.open: list[Element] = []
        self.unclosed: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        element = Element(tag, attributes, tuple(each.tag for each in self.open))
        self.elements.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1].tag != tag:
            self.unclosed.append(f"</{tag}> closes {self.open[-1].tag if self.open else 'nothing'}")
            return
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data


def read_page(path: str, status: int, body: str) -> Page:
    """Take an answer apart."""
    reader = _Reader()
    reader.feed(body)
    page = Page(path, status, body, reader.elements)
    if reader.unclosed or reader.open:
        left = [each.tag for each in reader.open]
        raise AssertionError(f"{path} is not well-formed: {reader.unclosed[:3]} {left}")
    return page


def _problems(page: Page) -> list[str]:
    found = []
    ids = [each.attributes["id"] for each in page.elements if "id" in each.attributes]
    found += [f"id {id_} twice" for id_ in sorted({each for each in ids if ids.count(each) > 1})]
    for each in page.elements:
        for name in ("for", "aria-labelledby", "aria-describedby"):
            if name in each.attributes and each.attributes[name] not in ids:
                found.append(f"{name}={each.attributes[name]} leads nowhere")
    found += _headings(page) + _controls(page) + _landmarks(page)
    found += [
        f"table without caption: {each.text.strip()[:40]}"
        for each in page.all("table")
        if not any(e.tag == "caption" for e in page.elements if each.tag in e.parents)
    ]
    found += [f"inline {name}" for each in page.elements for name in each.attributes
              if name == "style" or name.startswith("on")]  # fmt: skip
    return found


def _headings(page: Page) -> list[str]:
    levels = [int(each.tag[1]) for each in page.elements if each.tag in ("h1", "h2", "h3", "h4")
              and "dialog" not in each.parents]  # fmt: skip
    found = [] if levels.count(1) == 1 else [f"{levels.count(1)} h1"]
    jumps = [(a, b) for a, b in pairwise(levels) if b > a + 1]
    return found + [f"h{a} is followed by h{b}" for a, b in jumps]


def _controls(page: Page) -> list[str]:
    labelled = {each.attributes.get("for") for each in page.all("label")}
    found = []
    for each in page.elements:
        if each.tag in _CONTROLS and each.attributes.get("type") != "hidden":
            named = each.attributes.get("aria-label") or each.attributes.get("id") in labelled
            if not named:
                found.append(f"{each.tag} {each.attributes.get('name')} has no label")
        if each.tag in ("button", "a", "summary") and not (
            each.text.strip() or each.attributes.get("aria-label")
        ):
            found.append(f"{each.tag} without a name: {each.attributes}")
    return found


def _landmarks(page: Page) -> list[str]:
    found = [] if len(page.all("main")) == 1 else ["not one main"]
    html = page.all("html")
    if not html or html[0].attributes.get("lang") != "en":
        found.append("no language")
    if "·" not in page.title:
        found.append("no title of its own")
    skip = page.all("a")
    if not skip or skip[0].attributes.get("href") != "#main":
        found.append("the first link does not skip to the content")
    return found
