"""The documents about the code are held against the code."""

from __future__ import annotations

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
