"""Reads the books back over the QuickBooks API and says whether they are what the feed called for.

Called by the demo and by tests, with the expectation that the feed's generator wrote. It trusts
nothing the service recorded: only what QuickBooks answers.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

from reconciler.demo.books import TRANSACTIONS, Books, read_books, session_for
from reconciler.demo.comparison import Problem, compare
from reconciler.demo.expectation import Expectation

_SHOWN_PROBLEMS = 40


@dataclass(frozen=True)
class AuditReport:
    """What was found: problems, and the number of transactions per company and kind."""

    problems: tuple[Problem, ...]
    counts: dict[str, Counter[str]]

    @property
    def ok(self) -> bool:
        """The books equal the expectation, to the cent."""
        return not self.problems

    def __str__(self) -> str:
        """The differences for a person to read, worst kinds first."""
        checked = sum(count.total() for count in self.counts.values())
        if self.ok:
            return f"The books agree with the feed: {checked} transactions checked."
        kinds = Counter(problem.kind for problem in self.problems)
        summary = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        shown = [f"  {problem}" for problem in self.problems[:_SHOWN_PROBLEMS]]
        if len(self.problems) > _SHOWN_PROBLEMS:
            shown.append(f"  … and {len(self.problems) - _SHOWN_PROBLEMS} more")
        return "\n".join((f"The books differ from the feed ({summary}):", *shown))


async def audit(base_url: str, token: str, expectation: Expectation) -> AuditReport:
    """Compare every company's books at *base_url* with *expectation*.

    *base_url* is what stands before `/v3/company`. Raises aiohttp's errors if it can't be reached.
    """
    async with session_for(token) as session, asyncio.TaskGroup() as tasks:
        readings = [
            tasks.create_task(read_books(session, base_url, realm_id))
            for realm_id in expectation.companies
        ]
    return judge([reading.result() for reading in readings], expectation)


def judge(books: list[Books], expectation: Expectation) -> AuditReport:
    """The report on books that were read."""
    problems = [
        problem
        for company in books
        for problem in compare(company, expectation.companies[company.realm_id])
    ]
    counts = {
        company.realm_id: Counter({name: len(company.of(name)) for name in TRANSACTIONS})
        for company in books
    }
    return AuditReport(tuple(problems), counts)
