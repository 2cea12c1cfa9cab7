"""What a person decides about a document while HubSpot goes on: real Postgres, intake, no Kafka."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import asyncpg
import pytest

from reconciler.model import ObjectKey, ObjectType, SourceObject
from reconciler.operator.acting import Acting, dismiss, retry
from reconciler.ports.views import Selection
from reconciler.workflows import load
from store.operator import OperatorStore
from tests.feeds import History, Step
from tests.intake_at_work import PORTAL, WON_DEALS, IntakeAtWork

AT = 1_769_817_600_000


@dataclass(frozen=True)
class Overtaken(OperatorStore):
    """A store to which intake writes just after the objects were read."""

    by: Callable[[], Awaitable[object]] = field(kw_only=True)

    async def objects(self, keys: Sequence[ObjectKey]) -> list[SourceObject]:
        """As they were."""
        found = await super().objects(keys)
        await self.by()
        return found


@pytest.fixture
def intake(pool: asyncpg.Pool) -> IntakeAtWork:
    """Intake that makes invoices of deals won."""
    return IntakeAtWork(pool, load(WON_DEALS))


def deal(price: int) -> History:
    """The only deal, after its product got that price."""
    product = {"name": "Rollout", "price": str(price), "quantity": "1"}
    lists = {
        "line_items": (("71", product),),
        "contacts": (("81", {"email": "ada@example.com"}),),
    }
    step = Step(AT + price, {"dealstage": "closedwon"}, lists)
    return History(ObjectKey(PORTAL, ObjectType.DEAL, "1"), (step,))


async def test_a_retry_does_not_undo_what_hubspot_says_meanwhile(intake: IntakeAtWork) -> None:
    """It is refused, what is desired is kept, and the next one takes it up."""
    pool, workflows = intake.pool, intake.file.workflows
    await intake.take(deal(100))
    only = Selection(document_ids=(await pool.fetchval("SELECT document_id FROM documents"),))
    await dismiss(Acting(OperatorStore(pool), workflows, "ada"), only, "not to be billed")
    overtaken = Overtaken(pool, by=lambda: intake.take(deal(250)))
    done = await retry(Acting(overtaken, workflows, "ada"), only)
    assert list(done.refused.values()) == ["It changed meanwhile; look again."]
    await retry(Acting(OperatorStore(pool), workflows, "ada"), only)
    row = await pool.fetchrow("SELECT state, content->>'total', desired, change FROM documents")
    assert tuple(row) == ("wanted", "250.00", None, "")
