"""Owns what QuickBooks does when a customer who owes is made inactive: an adjusting credit memo."""

from reconciler.sandbox.exact import ZERO
from reconciler.sandbox.ledger import Posting
from reconciler.sandbox.rules.draft import Draft
from reconciler.sandbox.table import Body


def write_off_balance(draft: Draft) -> None:
    """Post a credit memo for what the customer owes, so that the balance becomes zero."""
    customer: str = draft.row["Id"]
    company = draft.company
    owed = company.ledger.parties.get(customer, ZERO)
    if owed <= 0:
        return
    memo: Body = {
        "TxnDate": company.clock.today(),
        "CustomerRef": {"value": customer, "name": draft.row["DisplayName"]},
        "CurrencyRef": draft.row.get("CurrencyRef", {"value": company.currency}),
        "PrivateNote": "Created by QuickBooks Online to adjust balance for deletion",
        "Line": [
            {
                "Id": "1",
                "LineNum": 1,
                "Description": "Adjusting entry",
                "Amount": owed,
                "DetailType": "DescriptionOnly",
                "DescriptionLineDetail": {},
            }
        ],
        "TotalAmt": owed,
        "Balance": owed,
        "RemainingCredit": owed,
        "LinkedTxn": [],
    }
    created = draft.unit.create("CreditMemo", memo)
    draft.unit.post(
        "CreditMemo",
        created["Id"],
        (
            Posting(company.account("UnappliedCashPaymentIncome"), owed),
            Posting(company.account("AccountsReceivable"), -owed, party=customer),
        ),
    )
