"""Reads the faults QuickBooks answers with, in every wrapping they arrive in; pure.

A Fault comes as JSON, as XML even when JSON was asked for, with lower-case keys from the gateway,
inside a batch answer, and with HTTP 200 (QuickBooks-V3-PHP-SDK issue 211): the body decides, not
the status. `answers` calls this; callers meet the result as one of the classes in
`reconciler.errors`, whose `message` is for an accountant and whose `detail` holds Intuit's words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import msgspec

from reconciler.errors import Disconnected, OutcomeUnknown, QuickBooksError, Reaction, RetryLater
from reconciler.quickbooks import fault_codes
from reconciler.quickbooks.fault_codes import FAULTS, GATEWAY_FAULTS, FaultRule
from reconciler.quickbooks.payload import decode

MAX_DETAIL = 1000


@dataclass(frozen=True)
class FaultError:
    """One error of a Fault, as Intuit worded it."""

    code: str
    message: str = ""
    detail: str = ""
    element: str = ""

    @property
    def text(self) -> str:
        """Message and detail, without saying the same twice."""
        parts = [self.message, self.detail if self.detail != self.message else ""]
        return ": ".join(part for part in parts if part)[:MAX_DETAIL]


@dataclass(frozen=True)
class Fault:
    """A Fault and its `type` (ValidationFault, SERVICE, AUTHENTICATION …)."""

    type: str
    errors: tuple[FaultError, ...]

    @property
    def is_validation(self) -> bool:
        """Raised by the API itself, so its codes 3001, 3100 and 3200 are not the gateway's."""
        return self.type.lower().startswith("validation")


@dataclass(frozen=True)
class Circumstances:
    """What else is known of the answer that carried a fault."""

    status: int
    tid: str = ""
    writes: bool = True
    retry_after: timedelta | None = None


# --- reading ----------------------------------------------------------------------------------


def read_fault(body: bytes) -> Fault | None:
    """The Fault in a body of any wrapping, or None when there is none to be read."""
    text = body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"<"):
        return _fault_in_xml(text)
    if text.startswith(b"{"):
        try:
            return fault_in(decode(text))
        except msgspec.DecodeError:
            return None
    return None


def fault_in(answer: Any) -> Fault | None:
    """The Fault in a decoded JSON answer or batch item, upper or lower case, or None."""
    if not isinstance(answer, dict):
        return None
    fault = answer.get("Fault") or answer.get("fault")
    if not isinstance(fault, dict):
        return None
    fault = _lower_keys(fault)
    errors = fault.get("error") or []
    errors = [errors] if isinstance(errors, dict) else errors
    read = tuple(_error(_lower_keys(error)) for error in errors if isinstance(error, dict))
    return Fault(str(fault.get("type") or ""), read or (FaultError(""),))


def _fault_in_xml(text: bytes) -> Fault | None:
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:  # HTML pages, and entity-expansion attacks
        return None
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - no entities are left to expand
    except ElementTree.ParseError:
        return None
    fault = next((item for item in root.iter() if _local_name(item) == "fault"), None)
    if fault is None:
        return None
    errors = [_error(_xml_fields(item)) for item in fault if _local_name(item) == "error"]
    return Fault(fault.get("type", ""), tuple(errors) or (FaultError(""),))


def _xml_fields(error: ElementTree.Element) -> dict[str, str]:
    children = {_local_name(child): (child.text or "").strip() for child in error}
    return _lower_keys(dict(error.attrib)) | children


def _local_name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2].lower()


def _lower_keys(fields: dict[str, Any]) -> dict[str, Any]:
    return {key.lower(): value for key, value in fields.items()}


def _error(fields: dict[str, Any]) -> FaultError:
    def text(name: str) -> str:
        return str(fields.get(name) or "").strip()

    code = text("code").lstrip("0") or text("code")[:1]
    return FaultError(code, text("message"), text("detail"), text("element"))


# --- classifying ------------------------------------------------------------------------------

_CLOSED_PERIOD = re.compile(
    r"period (is )?closed|closed period|books (are|have been) closed", re.IGNORECASE
)
_THROTTLED = re.compile(r"throttle|request limit was reached|errorCode=003001", re.IGNORECASE)
_QUOTA = re.compile(r"quota|monthly|per month|coreplus|usage limit", re.IGNORECASE)
_GATEWAY_WORDING = re.compile(r"errorCode=0*(3001|3100|3200)", re.IGNORECASE)


def classify(fault: Fault, known: Circumstances) -> QuickBooksError:
    """The error to raise for a fault, of the class that says what to do next.

    Of several errors in one fault the one that concerns the whole company decides, then the one
    whose outcome is unknown, then the first; all of them are in `detail`.
    """
    ranked = [(rule_for(fault, error, known.status), error) for error in fault.errors]
    rule, error = min(ranked, key=lambda pair: _PRECEDENCE.get(pair[0].raises, 2))
    details = "; ".join(dict.fromkeys(error.text for _, error in ranked if error.text))
    if rule.raises is OutcomeUnknown and not known.writes:
        return _retry_read(rule, error, details, known)
    raised = rule.raises(
        message=rule.sentence,
        code=error.code,
        detail=details[:MAX_DETAIL],
        status=known.status,
        tid=known.tid,
        element=error.element,
        remedy=rule.remedy,
        reaction=rule.reaction,
    )
    if isinstance(raised, RetryLater):
        raised.retry_after = max(rule.retry_after, known.retry_after or timedelta(0))
        raised.quota_exhausted = rule is fault_codes.QUOTA_EXHAUSTED
    return raised


_PRECEDENCE: dict[type[QuickBooksError], int] = {Disconnected: 0, OutcomeUnknown: 1}

READ_AGAIN_AFTER = timedelta(seconds=10)


def _retry_read(
    rule: FaultRule, error: FaultError, details: str, known: Circumstances
) -> RetryLater:
    return RetryLater(
        message=rule.sentence,
        code=error.code,
        detail=details,
        status=known.status,
        tid=known.tid,
        retry_after=READ_AGAIN_AFTER,
    )


def rule_for(fault: Fault, error: FaultError, status: int) -> FaultRule:
    """The row of the table that applies; ranges decide for codes that no table lists."""
    if status == 429 or _is_throttle(fault, error):
        return fault_codes.QUOTA_EXHAUSTED if _QUOTA.search(error.text) else GATEWAY_FAULTS["3001"]
    if not fault.is_validation and (gateway := _gateway_rule(error, status)):
        return gateway
    if error.code in {"5010", "6000"} and _CLOSED_PERIOD.search(error.text):
        return fault_codes.PERIOD_CLOSED  # python-quickbooks issue 208
    return FAULTS.get(error.code) or _rule_by_range(fault, error, status)


def _is_throttle(fault: Fault, error: FaultError) -> bool:
    if fault.is_validation:
        return False
    return error.code == "3001" or bool(_THROTTLED.search(error.text))


def _gateway_rule(error: FaultError, status: int) -> FaultRule | None:
    wording = _GATEWAY_WORDING.search(error.message)
    if rule := GATEWAY_FAULTS.get(wording.group(1) if wording else error.code):
        return rule
    if status == 401 and error.code not in FAULTS:
        return GATEWAY_FAULTS["3200"]
    return None


def _rule_by_range(fault: Fault, error: FaultError, status: int) -> FaultRule:
    number = int(error.code) if error.code.isascii() and error.code.isdigit() else 0
    if number >= 10_000 or status >= 500 or (not number and "system" in fault.type.lower()):
        return fault_codes.SYSTEM_ERROR
    if status in {401, 403} or 0 < number < 500 or fault.type.lower().startswith("auth"):
        return fault_codes.UNDOCUMENTED_ACCESS
    return fault_codes.UNDOCUMENTED


# --- what an error asks for -------------------------------------------------------------------


def reaction(error: QuickBooksError) -> Reaction:
    """What the caller does about an error of this package; total, so that it can label a metric."""
    if isinstance(error, RetryLater):
        return Reaction.RETRY
    if isinstance(error, OutcomeUnknown):
        return Reaction.RECONCILE
    if isinstance(error, Disconnected):
        if rule := GATEWAY_FAULTS.get(error.code) or FAULTS.get(error.code):
            return rule.reaction
        return Reaction.REFRESH if error.status == 401 else Reaction.RECONNECT
    return error.reaction or Reaction.BLOCK


_NUMBER_HOLDER = re.compile(r"TxnType=(\w+)\s+with\s+TxnId=(\d+)", re.IGNORECASE)


def number_holder(error: QuickBooksError) -> tuple[str, str] | None:
    """Entity and id of the transaction that holds a document number, if fault 6140 says so."""
    found = _NUMBER_HOLDER.search(error.detail)
    return (found.group(1), found.group(2)) if found else None
