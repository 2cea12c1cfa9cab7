"""The documents about the code are held against the code."""

from __future__ import annotations

import pkgutil
import re
from pathlib import Path

from reconciler.writing.lifecycle import TRANSITIONS

ROOT = Path(__file__).parents[2]


def test_the_state_diagram_has_exactly_the_edges_of_the_transition_table() -> None:
    """docs/architecture.md draws lifecycle.TRANSITIONS, edge by edge."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    drawn = set(re.findall(r"^ +(\w+) --> (\w+): (.+)$", text, re.MULTILINE))
    expected = {
        (start.value, end.value, event.value) for (start, event), end in TRANSITIONS.items()
    }
    assert drawn == expected


def test_every_module_has_one_place_on_the_map() -> None:
    """docs/architecture.md names each package of `reconciler`, and each module of those it opens."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = text.split("## Where things are")[1].split("\n## ")[0].split("|---|---|---|")[1]
    top = ROOT / "reconciler"
    named: list[str] = []
    for row in rows.strip().splitlines():
        package, _, modules = row.strip("|").split("|")
        packages = re.findall(r"`(\w+)/`", package)
        named += packages
        if listed := re.findall(r"`(\w+)`", modules):
            folder = top / packages[0] if packages else top
            assert sorted(listed) == sorted(
                path.stem for path in folder.glob("*.py") if path.stem != "__init__"
            )
    assert sorted(named) == sorted(path.parent.name for path in top.glob("*/__init__.py"))


def test_readme_names_the_six_files_of_the_way_of_a_record() -> None:
    """The README's picture names files that exist."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"(?:streams|reconciler)/[\w/]+\.py", text)
    assert len(set(named)) >= 6
    assert all((ROOT / name).is_file() for name in named)


def test_what_docstrings_name_exists() -> None:
    """Whoever follows a dotted name from one module to another arrives."""
    for package in ("reconciler", "streams", "store"):
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            for name in re.findall(r"`((?:reconciler|streams|store)(?:\.\w+)+)`", text):
                assert pkgutil.resolve_name(name), f"{path}: {name}"


def test_rules_that_code_cites_by_number_stand_in_the_documents() -> None:
    """HubSpot's article numbers nothing: what R31 is, docs/workflows.md says."""
    page = (ROOT / "docs/workflows.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| ([RA]\d+) \|", page, re.MULTILINE))
    assert listed == {f"R{n}" for n in range(1, 37)} | {f"A{n}" for n in range(1, 13)}
    for path in (*(ROOT / "reconciler").rglob("*.py"), *(ROOT / "tests").rglob("test_*.py")):
        cited = set(re.findall(r"\bR\d{1,2}\b", path.read_text(encoding="utf-8")))
        assert cited <= listed, path
