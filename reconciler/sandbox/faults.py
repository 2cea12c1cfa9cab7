"""Owns QuickBooks's faults: their codes, messages and HTTP statuses, as one exception.

Codes and messages follow Intuit's table (developer.intuit.com, troubleshooting/error-codes, read
2026-11); the wording of many `Detail`s is not documented and is this sandbox's own.
"""

from dataclasses import dataclass
from typing import Any

INACTIVE_REFERENCE = (
    "Object Not Found : Something you're trying to use has been made inactive. "
    "Check the fields with accounts, customers, items, vendors or employees."
)


@dataclass(frozen=True, slots=True)
class Error:
    """One entry of a fault's `Error` list."""

    code: str
    message: str
    detail: str = ""
    element: str = ""


class Fault(Exception):  # QuickBooks's word
    """A refused request; nothing of it was kept."""

    def __init__(self, *errors: Error, kind: str = "ValidationFault", status: int = 400) -> None:
        super().__init__("; ".join(f"{e.code} {e.detail or e.message}" for e in errors))
        self.errors = errors
        self.kind = kind
        self.status = status

    @property
    def code(self) -> str:
        """The first error's code."""
        return self.errors[0].code

    def body(self) -> dict[str, Any]:
        """The `Fault` object of an answer."""
        listed = [
            {"Message": e.message, "Detail": e.detail, "code": e.code, "element": e.element}
            for e in self.errors
        ]
        return {"Error": listed, "type": self.kind}


def unsupported_property(name: str) -> Error:
    """2010: a property QuickBooks doesn't know here, or a value of the wrong type."""
    detail = f"Property Name:{name} specified is unsupported or invalid"
    return Error("2010", "Request has invalid or unsupported property", detail, name)


def missing(name: str) -> Error:
    """2020: a required parameter is absent or empty."""
    message = "Required param missing, need to supply the required value for the API"
    return Error("2020", message, f"Required parameter {name} is missing in the request", name)


def invalid_id(name: str, value: object) -> Error:
    """2030: an id that isn't a whole number."""
    return Error("2030", "Invalid ID", f"Invalid ID : {name} value {value} is not valid", name)


def unsupported_characters(name: str) -> Error:
    """2040: a character that XML can't carry, which is what QuickBooks keeps."""
    detail = f"{name} contains characters that are not supported"
    return Error("2040", "Unsupported characters", detail, name)


def wrong_length(name: str, low: int, high: int, given: int) -> Error:
    """2050: a string longer (or shorter) than the field allows."""
    message = "String length is either shorter or longer than supported by specification"
    detail = (
        "String length specified does not match the supported length. "
        f"Min:{low} Max:{high} supported. Supplied length:{given}"
    )
    return Error("2050", message, detail, name)


def wrong_number(name: str, value: object) -> Error:
    """2090: not a number, or out of range."""
    return Error("2090", "Invalid Number", f"Invalid Number : {value}", name)


def wrong_choice(name: str, value: object) -> Error:
    """2170: a word that isn't of the enumeration."""
    return Error("2170", "Invalid Enumeration", f"Invalid Enumeration : {value}", name)


def wrong_email(name: str, value: str) -> Error:
    """2210: an e-mail address that isn't RFC 822."""
    detail = f"Email Address does not conform to the RFC 822 Standard. Supplied value:{value}"
    return Error("2210", "Invalid Email Address format", detail, name)


def unknown_reference(list_name: str, value: str, element: str = "") -> Error:
    """2500: a reference to something that doesn't exist."""
    detail = f"Invalid Reference Id : {list_name} element id {value} not found"
    return Error("2500", "Invalid Reference Id", detail, element)


def category_used(element: str) -> Error:
    """2500: a category of items on a line, where only what is sold can stand."""
    detail = "Invalid Reference Id : Categories cannot be used in transactions."
    return Error("2500", "Invalid Reference Id", detail, element)


def not_found(detail: str = INACTIVE_REFERENCE, element: str = "") -> Error:
    """610: the object is gone, never was, or was made inactive."""
    return Error("610", "Object Not Found", detail, element)


def business(detail: str, element: str = "") -> Error:
    """6000: the catch-all; only the detail says what is wrong."""
    message = "A business validation error has occurred while processing your request"
    return Error("6000", message, f"Business Validation Error: {detail}", element)


def stale() -> Error:
    """5010: the SyncToken isn't the current one."""
    detail = (
        "Stale Object Error : You and another user were working on this at the same time. "
        "The other user finished before you did, so your work was not saved."
    )
    return Error("5010", "Stale Object Error", detail)


def duplicate_number(number: str, holder_type: str, holder_id: str) -> Error:
    """6140: another form has this DocNumber; the detail names it."""
    detail = (
        "Duplicate Document Number Error : You must specify a different number. "
        f"This number has already been used. DocNumber={number} is assigned to "
        f"TxnType={holder_type} with TxnId={holder_id}"
    )
    return Error("6140", "Duplicate Document Number Error", detail)


def duplicate_name(detail_tail: str, holder_id: str) -> Error:
    """6240: the name is taken."""
    detail = f"The name supplied already exists. : {detail_tail} Id={holder_id}"
    return Error("6240", "Duplicate Name Exists Error", detail)


def cannot_link(detail: str) -> Error:
    """620: the transaction can't be linked to."""
    return Error("620", "TxnID Cannot Be Linked", f"Transaction cannot be linked : {detail}")


def closed_period(style: str) -> Error:
    """6210, or the same text under 5010 as python-quickbooks#208 reports."""
    message = "Account Period Closed, Cannot Update Through Services API"
    detail = (
        "The account period has closed and the account books cannot be updated through the "
        "QBO Services API. Please use the QBO website to make these changes."
    )
    return Error("5010" if style == "5010" else "6210", message, detail)


def unsupported_operation(what: str) -> Error:
    """500: an entity or operation this API doesn't have."""
    detail = f"Operation {what} is not supported."
    return Error("500", "Unsupported Operation", detail)


def duplicate_request(request_id: str) -> Error:
    """600: the same requestid is being worked on."""
    return Error("600", "Duplicate Request ID", f"Duplicate Request ID : {request_id}")


def system(
    detail: str = "An application error has occurred while processing your request",
) -> Fault:
    """10000: QuickBooks's own failure."""
    return Fault(
        Error("10000", detail, f"System Failure Error: {detail}"), kind="SystemFault", status=500
    )
