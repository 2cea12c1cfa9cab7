"""Exchange rates as kept of a company: what counts as one, and how long it is kept."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from reconciler.dispatch import rates
from reconciler.dispatch.rates import Rates
from reconciler.errors import Disconnected, OutcomeUnknown, Refused, RetryLater
from reconciler.quickbooks.answers import Answer
from reconciler.quickbooks.protocol import Request
from reconciler.reasons import Blocked, Reason
from reconciler.writing.resolve import Resolved

KEY = ("EUR", "2026-11-20")


class Sender:
    """Answers every request with the same, and counts them."""

    realm_id = "934"

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self.answer = answer
        self.asked = 0

    async def send(self, request: Request) -> Answer:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return Answer({request.entity: self.answer})


@pytest.mark.parametrize(
    ("currency", "answer", "rate"),
    [
        ("EUR", {"Rate": Decimal("1.0834567")}, Decimal("1.0834567")),
        ("KWD", {"Rate": 3}, Decimal(3)),
        ("EUR", {"Rate": 1}, None),
        ("EUR", {"Rate": Decimal("1.0")}, None),
        ("PAB", {"Rate": 1}, Decimal(1)),
        ("EUR", {"Rate": 0}, None),
        ("EUR", {"Rate": Decimal("-1.08")}, None),
        ("EUR", {"Rate": "1.08"}, None),
        ("EUR", {"Rate": True}, None),
        ("EUR", {}, None),
        ("EUR", Refused("No"), None),
    ],
    ids=str,
)
async def test_what_counts_as_a_rate(
    currency: str, answer: dict[str, Any] | Exception, rate: Decimal | None
) -> None:
    """A positive number to all its digits; 1 only of a currency at par. All else blocks."""
    kept, key = Rates(Sender(answer)), (currency, "2026-11-20")
    await kept.read([key])
    assert kept.is_known(key)
    if rate is not None:
        assert kept.rated(Resolved(), key).exchange_rate == rate
        return
    with pytest.raises(Blocked) as stop:
        kept.rated(Resolved(), key)
    assert stop.value.reason is Reason.NO_EXCHANGE_RATE


@pytest.mark.parametrize("error", [RetryLater("Later"), OutcomeUnknown("No answer")], ids=str)
async def test_what_cannot_be_asked_now_stays_unknown(error: Exception) -> None:
    """And the others are not asked for then; a company that is not connected says so."""
    sender = Sender(error)
    kept = Rates(sender)
    await kept.read([KEY, ("EUR", "2026-11-21")])
    assert sender.asked == 1
    assert not kept.is_known(KEY)
    assert kept.rated(Resolved(), KEY).exchange_rate is None
    with pytest.raises(Disconnected):
        await Rates(Sender(Disconnected("Gone"))).read([KEY])


async def test_a_rate_that_was_missing_is_asked_for_again() -> None:
    """After the company was looked at anew; one that is there is kept."""
    sender = Sender({"Rate": 1})
    kept = Rates(sender)
    await kept.read([KEY])
    sender.answer = {"Rate": Decimal("1.08")}
    await kept.read([("EUR", "2026-11-21")])
    kept.forget_missing()
    assert (kept.is_known(KEY), kept.is_known(("EUR", "2026-11-21"))) == (False, True)


async def test_no_more_rates_are_kept_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are forgotten."""
    monkeypatch.setattr(rates, "MOST_KEPT", 3)
    kept = Rates(Sender({"Rate": Decimal("1.08")}))
    keys = [("EUR", f"2026-11-{day}") for day in range(10, 15)]
    await kept.read(keys)
    assert [kept.is_known(key) for key in keys] == [False, False, True, True, True]
