"""Owns the general ledger: the postings of every transaction, and the balances they add up to.

Each transaction's postings sum to zero or are refused, so the trial balance always does.
Amounts are in the company's home currency; a debit is positive.
"""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from reconciler.sandbox.exact import ZERO
from reconciler.sandbox.faults import system


class Posting(NamedTuple):
    """One side of an entry, with the person and the stock it moves."""

    account: str
    amount: Decimal
    party: str = ""  # customer or vendor, on receivable and payable accounts
    item: str = ""
    quantity: Decimal = ZERO


class Ledger:
    """Postings by transaction, and running balances."""

    def __init__(self) -> None:
        self.entries: dict[str, tuple[Posting, ...]] = {}
        self.accounts: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        self.parties: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        self.stock: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)

    def post(self, key: str, postings: Iterable[Posting]) -> None:
        """Replace the postings of the transaction `key`."""
        postings = tuple(one for one in postings if one.amount or one.quantity)
        for posting in self.entries.pop(key, ()):
            self._apply(posting, -1)
        for posting in postings:
            self._apply(posting, 1)
        if postings:
            self.entries[key] = postings

    def trial_balance(self) -> dict[str, Decimal]:
        """Balance per account, debits positive, accounts without movement left out."""
        return {account: balance for account, balance in self.accounts.items() if balance}

    def _apply(self, posting: Posting, sign: int) -> None:
        self.accounts[posting.account] += sign * posting.amount
        if posting.party:
            self.parties[posting.party] += sign * posting.amount
        if posting.item:
            self.stock[posting.item] += sign * posting.quantity


def check_balanced(key: str, postings: Iterable[Posting]) -> None:
    """Refuse an entry that doesn't sum to zero: it would be this sandbox's own error."""
    total = sum((one.amount for one in postings), ZERO)
    if total:
        raise system(f"Transaction {key} is out of balance by {total}")
