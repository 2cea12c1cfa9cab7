"""docs/quickbooks.md is held against the code."""

from __future__ import annotations

from reconciler.errors import Reaction
from reconciler.quickbooks.limits import Limits
from reconciler.settings import Settings
from tests.fault_table import PAGE, with_table


def test_the_table_of_faults_is_the_codes() -> None:
    """Each fault's reaction, sentence and remedy are what the service does and says."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_table(page), "run python -m tests.fault_table"


def test_every_reaction_is_explained() -> None:
    """No word of the table is left without a meaning."""
    page = PAGE.read_text(encoding="utf-8")
    assert [each for each in Reaction if f"| `{each}` |" not in page] == []


def test_limits_and_settings_are_named_as_they_are() -> None:
    """The figures are the defaults, and every setting named exists."""
    page = PAGE.read_text(encoding="utf-8")
    limits = Limits()
    for number in (
        limits.requests_per_minute,
        limits.requests_per_second,
        limits.batches_per_minute,
    ):
        assert f" {number} " in page
    named = {word.strip("`,.;:()") for word in page.split() if "RECONCILER_" in word}
    known = {f"RECONCILER_{name.upper()}" for name in Settings.model_fields}
    assert {word.split("=")[0] for word in named} <= known
