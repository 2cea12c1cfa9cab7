"""Each of seven planted bugs is caught, so that silence of the checker means something."""

from __future__ import annotations

import pytest

from tests.faults.mutants import MUTANTS, Mutant, caught

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_caught(mutant: Mutant, kafka_choice: str) -> None:
    """The fault test fails on it, and for the reason it should."""
    assert caught(mutant, kafka_choice)
