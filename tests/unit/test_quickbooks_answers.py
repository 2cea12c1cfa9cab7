"""What QuickBooks may answer, sample by sample, and what is made of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import errors
from reconciler.quickbooks import fault_codes, faults, protocol, queries
from reconciler.quickbooks.answers import Answer, read_answer, read_batch
from reconciler.quickbooks.fault_codes import FAULTS, GATEWAY_FAULTS
from reconciler.quickbooks.protocol import BatchItem, Verb

SAMPLES = Path(__file__).parent.parent / "samples" / "quickbooks"


@dataclass(frozen=True)
class Sample:
    """One recorded answer: the request it belongs to, its bytes, and what is to come of it."""

    name: str
    reason: str
    request: protocol.Request
    status: int
    headers: dict[str, str]
    body: bytes
    expect: dict[str, Any]

    def read(self) -> Answer:
        return read_answer(self.request, self.status, self.headers, self.body)


def request_for(operation: str, entity: str) -> protocol.Request:
    """A request of that operation, as the dispatcher builds it."""
    if operation == "query":
        return protocol.query(entity, queries.select(entity))
    if operation == "read":
        return protocol.read(entity, "145")
    if operation == "delete":
        return protocol.delete(entity, "145", "0", "r1")
    return protocol.create(entity, {"Line": []}, "r1")


def load(directory: Path) -> Sample:
    """Read one sample directory."""
    case = json.loads((directory / "case.json").read_text())
    (body,) = directory.glob("body.*")
    request = request_for(case["operation"], case["entity"])
    return Sample(
        directory.name,
        case["reason"],
        request,
        case["status"],
        case["headers"],
        body.read_bytes(),
        case["expect"],
    )


ALL = [load(directory) for directory in sorted(SAMPLES.iterdir())]
FAILURES = [sample for sample in ALL if "raises" in sample.expect]
SUCCESSES = [sample for sample in ALL if "raises" not in sample.expect]


@pytest.mark.parametrize("sample", FAILURES, ids=lambda sample: sample.name)
def test_failure(sample: Sample) -> None:
    """The sample's `reason`: class, code, reaction and wait are as its `expect` says."""
    with pytest.raises(errors.QuickBooksError) as caught:
        sample.read()
    error, expect = caught.value, sample.expect
    assert type(error).__name__ == expect["raises"], sample.reason
    assert error.code == expect["code"]
    assert faults.reaction(error) == expect["reaction"]
    assert error.status == sample.status
    assert error.element == expect.get("element", error.element)
    assert expect.get("detail_contains", "") in error.detail
    if isinstance(error, errors.RetryLater):
        assert error.retry_after == timedelta(seconds=expect.get("retry_after", 60)) or (
            "retry_after" not in expect
        )
        assert error.quota_exhausted == expect.get("quota_exhausted", False)
    if holder := expect.get("number_holder"):
        assert faults.number_holder(error) == tuple(holder)


@pytest.mark.parametrize("sample", SUCCESSES, ids=lambda sample: sample.name)
def test_success(sample: Sample) -> None:
    """The sample's `reason`: it is read as an answer, with the tid whatever the header's case."""
    assert sample.read().tid


def sample(name: str) -> Sample:
    """The sample of that name."""
    return next(item for item in ALL if item.name == name)


def test_amounts_are_exact() -> None:
    """An amount is the Decimal of the digits sent, never a float's neighbour."""
    answer = sample("created").read()
    invoice = answer.entity("Invoice")
    assert invoice["TotalAmt"] == Decimal("362.07")
    assert str(invoice["Line"][0]["SalesItemLineDetail"]["UnitPrice"]) == "111.7500000"
    assert answer.at is not None
    assert answer.at.astimezone(UTC) == datetime(2026, 3, 2, 18, 11, 12, 345000, UTC)


def test_no_rows() -> None:
    """An empty QueryResponse is no rows and a count of zero."""
    answer = sample("no_rows").read()
    assert answer.rows("Customer") == []


# --- batches ----------------------------------------------------------------------------------

ITEMS = [
    BatchItem("1", Verb.CREATE, "Invoice", {}),
    BatchItem("2", Verb.CREATE, "Customer", {}),
    BatchItem("3", Verb.CREATE, "Invoice", {}),
    BatchItem("4", Verb.QUERY, "Term", "SELECT * FROM Term"),
    BatchItem("5", Verb.CREATE, "Invoice", {}),
]


def test_batch_item_by_item() -> None:
    """Each item succeeds or fails alone; one left out of the answer has an unknown outcome."""
    duplicate = json.loads(sample("duplicate_name").body)["Fault"]
    answer = Answer(
        {
            "BatchItemResponse": [
                {"bId": "4", "QueryResponse": {"Term": [{"Id": "3"}]}},
                {"bId": "1", "Invoice": {"Id": "145"}},
                {"bId": "2", "Fault": duplicate},
                {"bId": "5", "Surprise": {}},
            ]
        },
        "tid",
    )
    results = read_batch(ITEMS, answer)
    assert isinstance(results["1"], Answer)
    assert results["1"].entity("Invoice") == {"Id": "145"}
    assert isinstance(results["2"], errors.LookAgain)
    assert results["2"].tid == "tid"
    assert isinstance(results["3"], errors.OutcomeUnknown)
    assert isinstance(results["4"], Answer)
    assert results["4"].rows("Term") == [{"Id": "3"}]
    assert isinstance(results["5"], errors.OutcomeUnknown)


# --- the table --------------------------------------------------------------------------------

LISTED = [*FAULTS.values(), *GATEWAY_FAULTS.values()]


@pytest.mark.parametrize("rule", LISTED, ids=lambda rule: rule.code)
def test_every_listed_fault_reads_as_its_row_says(rule: fault_codes.FaultRule) -> None:
    """A fault of each documented code raises its class, with a sentence and a remedy."""
    type_ = "SERVICE" if rule in GATEWAY_FAULTS.values() else "ValidationFault"
    body = {"Fault": {"Error": [{"Message": rule.title, "code": rule.code}], "type": type_}}
    with pytest.raises(rule.raises) as caught:
        read_answer(request_for("create", "Invoice"), 400, {}, json.dumps(body).encode())
    assert caught.value.message == rule.sentence
    assert caught.value.remedy == rule.remedy
    assert rule.sentence.endswith(".")
    assert rule.source


SECTION_6 = (
    "100", "110", "120", "130", "140", "150", "500", "600", "610", "620", "630", "700", "800",
    "1040", "2010", "2020", "2030", "2050", "2090", "2170", "2210", "2500", "4000", "4001",
    "5010", "5020", "5030", "6000", "6010", "6070", "6080", "6090", "6100", "6140", "6190",
    "6210", "6240", "6250", "6540", "6560",
)  # fmt: skip


def test_every_documented_code_is_listed() -> None:
    """No code of Intuit's tables is left to the ranges."""
    assert set(SECTION_6) <= set(FAULTS)
    assert set(GATEWAY_FAULTS) == {"3001", "3100", "3200"}


@given(code=st.integers(0, 99999), status=st.sampled_from([200, 400, 401, 403, 404, 500, 503]))
def test_any_code_has_a_reaction(code: int, status: int) -> None:
    """Whatever the code and status, some class is raised and some reaction named."""
    body = {"Fault": {"Error": [{"Message": "m", "code": str(code)}], "type": "ValidationFault"}}
    with pytest.raises(errors.QuickBooksError) as caught:
        read_answer(request_for("create", "Invoice"), status, {}, json.dumps(body).encode())
    assert faults.reaction(caught.value)
    if code >= 10000:
        assert isinstance(caught.value, errors.OutcomeUnknown)


@given(body=st.binary(max_size=60), status=st.integers(200, 599))
def test_any_bytes_are_survived(body: bytes, status: int) -> None:
    """Garbage of any status is an error of the tree, and for a 2xx write an unknown outcome."""
    with pytest.raises(errors.QuickBooksError) as caught:
        read_answer(request_for("create", "Invoice"), status, {}, body)
    if 200 <= status < 300 or status >= 500:
        assert isinstance(caught.value, errors.OutcomeUnknown)


@given(cut=st.integers(1, 1000), name=st.sampled_from([item.name for item in SUCCESSES]))
def test_a_cut_success_is_never_a_success(cut: int, name: str) -> None:
    """A success cut at any byte is not believed."""
    whole = sample(name)
    if cut >= len(whole.body):
        return
    with pytest.raises((errors.OutcomeUnknown, errors.RetryLater)):
        read_answer(whole.request, 200, whole.headers, whole.body[:-cut])


def test_hostile_xml_is_not_expanded() -> None:
    """A document type, and so an entity bomb, is not parsed."""
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><IntuitResponse><Fault type="&a;"/></IntuitResponse>'
    assert faults.read_fault(bomb) is None
