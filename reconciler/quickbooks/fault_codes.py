"""Every documented fault of QuickBooks Online, and what each one means for a document; data only.

`faults.classify` is the only reader; `docs` and the tests print the table. A row says which error
class is raised, what the caller is to do about it, the sentence an accountant reads, and where
the fact comes from. Abbreviated sources: "codes" is Intuit's page
developer.intuit.com/app/developer/qbo/docs/develop/troubleshooting/error-codes, "errors" its
neighbour handling-common-errors, "top" developer.intuit.com/hub/blog/2017/06/08/
top-quickbooks-online-api-errors, "throttles" .../docs/learn/limits-and-throttles, "list" a
third-party copy of Intuit's old table (quickbooksrepairpro.com/IPP-Error-Codes.aspx). Read 2026-11.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from reconciler.errors import (
    Disconnected,
    LookAgain,
    OutcomeUnknown,
    QuickBooksError,
    Reaction,
    Refused,
    RetryLater,
)


@dataclass(frozen=True)
class FaultRule:
    """One row: the fault's `code` and title, its class, and what people and callers do."""

    code: str
    title: str
    raises: type[QuickBooksError]
    reaction: Reaction
    sentence: str
    remedy: str
    source: str
    retry_after: timedelta = timedelta(seconds=60)


_MAINTENANCE = timedelta(minutes=5)
_OURS = "This is a defect of the reconciler: report it with the intuit_tid."
_RECONNECT = "Connect the company again as an administrator of QuickBooks."
_OPEN_PERIOD = "Reopen the period in QuickBooks, or give the document a date in an open one."


def _rows(*rows: FaultRule) -> dict[str, FaultRule]:
    return {row.code: row for row in rows}


GATEWAY_FAULTS = _rows(
    FaultRule(
        "3001", "ThrottleExceeded", RetryLater, Reaction.RETRY,
        "QuickBooks limits how often it can be called.",
        "Nothing to do: it is sent again after a minute.",
        "throttles; XML body and HTTP 403 variant: routablehq/python-quickbooks issues 43, 83",
    ),
    FaultRule(
        "3100", "AuthorizationFailed", Disconnected, Reaction.RECONNECT,
        "This connection has no access to the QuickBooks company.",
        _RECONNECT,
        "oauth-jsclient issue 91, node-quickbooks issue 154",
    ),
    FaultRule(
        "3200", "AuthenticationFailed", Disconnected, Reaction.REFRESH,
        "QuickBooks does not accept the connection's access token.",
        _RECONNECT,
        "python-quickbooks issues 118, 250",
    ),
)  # fmt: skip
"""Codes of the gateway in front of the API; they collide with the validation range."""

FAULTS = _rows(
    FaultRule(
        "100", "General authentication error", Disconnected, Reaction.REFRESH,
        "QuickBooks does not accept the connection's access token.",
        _RECONNECT,
        "codes; XML body: python-quickbooks issue 120",
    ),
    FaultRule(
        "110", "OAuth error", Disconnected, Reaction.REFRESH,
        "QuickBooks does not accept the connection's access token.",
        _RECONNECT,
        "codes",
    ),
    FaultRule(
        "120", "Authorization failure", Disconnected, Reaction.RECONNECT,
        "The person who connected the company no longer has access to it.",
        _RECONNECT,
        "codes",
    ),
    FaultRule(
        "130", "Wrong cluster", RetryLater, Reaction.RETRY,
        "QuickBooks is moving the company between servers.",
        "Nothing to do: it is sent again.",
        "codes",
    ),
    FaultRule(
        "140", "Company locked out", RetryLater, Reaction.RETRY,
        "The company is locked in QuickBooks for the moment.",
        "Nothing to do: it is sent again after some minutes.",
        "codes", _MAINTENANCE,
    ),
    FaultRule(
        "150", "Company under maintenance", RetryLater, Reaction.RETRY,
        "The company is under maintenance at QuickBooks.",
        "Nothing to do: it is sent again after some minutes.",
        "codes", _MAINTENANCE,
    ),
    FaultRule(
        "500", "Unsupported operation", Refused, Reaction.BLOCK,
        "QuickBooks cannot do this operation.", _OURS, "codes",
    ),
    FaultRule(
        "600", "Duplicate request id", OutcomeUnknown, Reaction.RECONCILE,
        "QuickBooks has seen this request before and does not say what became of it.",
        "Nothing to do: the document is looked up in QuickBooks before anything is sent again.",
        "codes; the guide says that a repeat replays the first answer instead",
    ),
    FaultRule(
        "610", "Object not found", LookAgain, Reaction.RESOLVE,
        "Something the document refers to was deleted or made inactive in QuickBooks.",
        "Make the customer, product, term or account active again, or choose another.",
        "errors; QuickBooks-V3-DotNET-SDK issue 353",
    ),
    FaultRule(
        "620", "Transaction cannot be linked", LookAgain, Reaction.REREAD,
        "The payment cannot be applied: the invoice is paid, voided or another customer's.",
        "Look at the invoice in QuickBooks and apply the payment there, or retry.",
        "codes; LanternOps/breeze pull 4624",
    ),
    FaultRule(
        "630", "Duplicate object", Refused, Reaction.BLOCK,
        "QuickBooks says that this object exists already.",
        "Look for it in QuickBooks and link it, or change its name.", "list",
    ),
    FaultRule(
        "700", "Invalid parent", Refused, Reaction.BLOCK,
        "The parent customer, product or class cannot be used.",
        "Choose another parent in QuickBooks.", "list",
    ),
    FaultRule(
        "800", "Object is in use", Refused, Reaction.BLOCK,
        "QuickBooks will not remove this because other transactions depend on it.",
        "Remove the linked transactions in QuickBooks first.", "list",
    ),
    FaultRule(
        "1040", "Batch too big", Refused, Reaction.SPLIT_BATCH,
        "Too many documents were sent to QuickBooks at once.",
        "They are sent in smaller groups by themselves; retry one that was refused alone.",
        "QuickBooks-V3-DotNET-SDK issue 358",
    ),
    FaultRule(
        "2010", "Invalid or unsupported property", Refused, Reaction.BLOCK,
        "QuickBooks does not know a field of the document.", _OURS, "codes",
    ),
    FaultRule(
        "2020", "Required parameter missing", Refused, Reaction.BLOCK,
        "QuickBooks requires a field that the document lacks.",
        "Fill in the field named in the detail, in HubSpot or in workflows.yaml.", "codes",
    ),
    FaultRule(
        "2030", "Invalid id", Refused, Reaction.BLOCK,
        "QuickBooks does not accept an identifier.", _OURS, "list",
    ),
    FaultRule(
        "2040", "Unsupported characters", Refused, Reaction.BLOCK,
        "A text holds characters that QuickBooks does not accept.",
        "Remove the unusual characters from the field named in the detail in HubSpot.",
        "Stack Overflow question 24529982",
    ),
    FaultRule(
        "2050", "Text length outside the limits", Refused, Reaction.BLOCK,
        "A text is longer than QuickBooks allows.",
        "Shorten the field named in the detail in HubSpot.", "codes",
    ),
    FaultRule(
        "2090", "Invalid number", Refused, Reaction.BLOCK,
        "A number is outside the range that QuickBooks allows.",
        "Correct the amount or quantity named in the detail in HubSpot.", "list",
    ),
    FaultRule(
        "2170", "Invalid enumeration", Refused, Reaction.BLOCK,
        "QuickBooks does not know one of the values.", _OURS, "codes",
    ),
    FaultRule(
        "2210", "Invalid e-mail address", Refused, Reaction.DROP_EMAIL,
        "QuickBooks does not accept the customer's e-mail address.",
        "Correct the contact's e-mail address in HubSpot.", "codes",
    ),
    FaultRule(
        "2500", "Invalid reference", LookAgain, Reaction.RESOLVE,
        "The document refers to something that QuickBooks does not have or that is inactive.",
        "Make the customer, product, term or account active again, or choose another.",
        "codes; QuickBooks-V3-PHP-SDK issue 110",
    ),
    FaultRule(
        "4000", "Error parsing query", Refused, Reaction.BLOCK,
        "QuickBooks does not understand a search.", _OURS,
        "node-quickbooks issue 56, python-quickbooks issue 47",
    ),
    FaultRule(
        "4001", "Invalid query", Refused, Reaction.BLOCK,
        "QuickBooks does not allow a search.", _OURS, "quickbooks-ruby issue 24",
    ),
    FaultRule(
        "5010", "Stale object", LookAgain, Reaction.REREAD,
        "Somebody changed this in QuickBooks in the meantime.",
        "Nothing to do: it is read again.",
        "errors; a payment raises its invoice's SyncToken: LanternOps/breeze pull 4624",
    ),
    FaultRule(
        "5020", "Not entitled", Refused, Reaction.BLOCK,
        "The company's QuickBooks subscription does not include this feature.",
        "Choose another document type, or a larger QuickBooks subscription.", "codes",
    ),
    FaultRule(
        "5030", "Feature not supported", Refused, Reaction.BLOCK,
        "The company's QuickBooks subscription does not include this feature.",
        "Choose another document type, or a larger QuickBooks subscription.", "codes",
    ),
    FaultRule(
        "6000", "Business validation error", Refused, Reaction.BLOCK,
        "It breaks a rule of QuickBooks.",
        "Change what the reason names, in QuickBooks or in HubSpot, then retry.", "codes",
    ),
    FaultRule(
        "6010", "Account type missing", Refused, Reaction.BLOCK,
        "An account has no type.", "Give the account a type in QuickBooks.", "codes",
    ),
    FaultRule(
        "6070", "Amount is not quantity times price", Refused, Reaction.BLOCK,
        "A line's amount differs from its quantity times its price.", _OURS,
        "codes; simstudioai/sim pull 6159",
    ),
    FaultRule(
        "6080", "No name given", Refused, Reaction.BLOCK,
        "The customer or product has no name.",
        "Give the contact or product a name in HubSpot.", "codes",
    ),
    FaultRule(
        "6090", "Discount line incomplete", Refused, Reaction.BLOCK,
        "QuickBooks cannot record the discount.",
        "Turn on discounts in QuickBooks under Account and settings, Sales.", "codes",
    ),
    FaultRule(
        "6100", "Invalid tax code", Refused, Reaction.BLOCK,
        "A line has a tax code that QuickBooks does not accept for this company.",
        "Set up sales tax in QuickBooks; only US companies are supported.", "codes",
    ),
    FaultRule(
        "6140", "Duplicate document number", LookAgain, Reaction.ADOPT_NUMBER,
        "The document number is already used in QuickBooks.",
        "Choose another number, or turn off custom transaction numbers in QuickBooks.", "errors",
    ),
    FaultRule(
        "6190", "Invalid company status", Disconnected, Reaction.PARK,
        "The company's QuickBooks subscription has lapsed or is suspended.",
        "Renew the subscription in QuickBooks; documents wait until then.",
        "errors; with HTTP 200: QuickBooks-V3-PHP-SDK issue 211",
    ),
    FaultRule(
        "6210", "Account period closed", Refused, Reaction.REDATE,
        "The document's date is in a period whose books are closed.", _OPEN_PERIOD,
        "errors; quickbooks-ruby pull 630",
    ),
    FaultRule(
        "6240", "Duplicate name", LookAgain, Reaction.ADOPT_NAME,
        "The name is already used by a customer, vendor, employee or product in QuickBooks.",
        "Rename one of the two, or make the inactive one active again.",
        "errors; QuickBooks-V3-PHP-SDK issue 241",
    ),
    FaultRule(
        "6250", "Invalid customer", LookAgain, Reaction.RESOLVE,
        "QuickBooks does not accept the customer.",
        "Make the customer active again in QuickBooks, or choose another.", "list",
    ),
    FaultRule(
        "6540", "Deposited transaction", Refused, Reaction.BLOCK,
        "The payment is in a bank deposit and can no longer be changed.",
        "Remove it from the deposit in QuickBooks first.", "codes",
    ),
    FaultRule(
        "6560", "Customer missing", Refused, Reaction.BLOCK,
        "The document needs a customer.",
        "Associate a contact with the deal, quote or payment in HubSpot.", "list",
    ),
)  # fmt: skip
"""Codes of the API itself."""

PERIOD_CLOSED = FAULTS["6210"]

QUOTA_EXHAUSTED = FaultRule(
    "429", "Monthly allowance used up", RetryLater, Reaction.RETRY,
    "This month's allowance of QuickBooks reads is used up.",
    "Raise the Intuit partner tier, or wait for the first of the month; writes continue.",
    "blogs.intuit.com/2026/01/08/understanding-builder-tier-api-limits-for-you-and-your-customers",
    timedelta(hours=1),
)  # fmt: skip

SYSTEM_ERROR = FaultRule(
    "10000", "System error", OutcomeUnknown, Reaction.RECONCILE,
    "QuickBooks had an internal error.",
    "Nothing to do: it is looked up or sent again with the same request id.",
    "errors: resubmit once, then contact support",
)  # fmt: skip

UNDOCUMENTED = FaultRule(
    "", "Undocumented fault", Refused, Reaction.BLOCK,
    "It breaks a rule of QuickBooks.",
    "Change what the reason names, in QuickBooks or in HubSpot, then retry.", "",
)  # fmt: skip

UNDOCUMENTED_ACCESS = FaultRule(
    "", "Undocumented authorization fault", Disconnected, Reaction.RECONNECT,
    "QuickBooks refuses this connection.", _RECONNECT, "",
)  # fmt: skip
