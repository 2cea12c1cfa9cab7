"""The client against the QuickBooks sandbox, a second and independent reading of the vendor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.errors import (
    Disconnected,
    LookAgain,
    OutcomeUnknown,
    QuickBooksError,
    Reaction,
    Refused,
    RetryLater,
)
from reconciler.quickbooks import names, oauth, protocol, queries
from reconciler.quickbooks.answers import Answer, read_batch
from reconciler.quickbooks.authorization import AuthorizationServer, discover
from reconciler.quickbooks.client import Endpoint, QuickBooks, open_session
from reconciler.quickbooks.faults import number_holder, reaction
from reconciler.quickbooks.gate import Gate
from reconciler.quickbooks.limits import Kind, Limits
from reconciler.quickbooks.loading import load_changes, load_company, load_references
from reconciler.quickbooks.oauth import OAuthApp, Tokens
from reconciler.quickbooks.protocol import BatchItem, Verb
from reconciler.quickbooks.references import REFERENCE_ENTITIES
from reconciler.quickbooks.tokens import SharedTokens, StaticToken, TokenSource
from tests.sandbox_process import Sandbox, sandbox_process
from tests.token_memory import MemoryStore


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox that counts calls but has none of its own companies yet."""
    with sandbox_process("--company", "9341450000000001:US:USD") as running:
        yield running


@asynccontextmanager
async def connected(
    sandbox: Sandbox,
    realm: str,
    tokens: TokenSource | None = None,
    patience: timedelta = timedelta(seconds=20),
) -> AsyncIterator[QuickBooks]:
    """A client for that company, bounded by Intuit's limits."""
    endpoint = Endpoint(realm, sandbox.url, patience)
    async with open_session() as session:
        yield QuickBooks(session, endpoint, tokens or StaticToken("any"), Gate(Limits()))


def invoice(customer: str, item: str, number: str = "") -> dict[str, Any]:
    """An invoice of 2 × 12.345 = 24.69."""
    line = {
        "DetailType": "SalesItemLineDetail",
        "Amount": Decimal("24.69"),
        "SalesItemLineDetail": {
            "ItemRef": {"value": item},
            "Qty": Decimal(2),
            "UnitPrice": Decimal("12.345"),
            "TaxCodeRef": {"value": "NON"},
        },
    }
    body: dict[str, Any] = {"CustomerRef": {"value": customer}, "Line": [line]}
    return body | ({"DocNumber": number} if number else {})


async def new_customer(quickbooks: QuickBooks, name: str = "Ada Byron") -> str:
    """Create a customer and return its id."""
    request = protocol.create("Customer", {"DisplayName": name}, f"c-{names.name_key(name)}"[:50])
    return str((await quickbooks.send(request)).entity("Customer")["Id"])


async def new_item(quickbooks: QuickBooks) -> str:
    """Create a service with an income account of the company and return its id."""
    accounts = [one async for page in load_references(quickbooks, "Account") for one in page]
    income = next(one.id for one in accounts if one.kind == "Income" and one.active)
    body = {"Name": "Widget", "Type": "Service", "IncomeAccountRef": {"value": income}}
    answer = await quickbooks.send(protocol.create("Item", body, "item-1"))
    return str(answer.entity("Item")["Id"])


async def failure(quickbooks: QuickBooks, request: protocol.Request) -> QuickBooksError:
    """The error that sending raises."""
    with pytest.raises(QuickBooksError) as caught:
        await quickbooks.send(request)
    return caught.value


# --- the whole protocol -----------------------------------------------------------------------


async def test_a_document_from_creation_to_deletion(sandbox: Sandbox) -> None:
    """Create, read, query, pay, sparse update, void and delete work end to end, to the cent."""
    realm = await sandbox.company()
    async with connected(sandbox, realm) as quickbooks:
        customer, item = await new_customer(quickbooks), await new_item(quickbooks)
        created = await quickbooks.send(
            protocol.create("Invoice", invoice(customer, item), "inv-1")
        )
        first = created.entity("Invoice")
        assert first["TotalAmt"] == Decimal("24.69")
        assert created.at is not None
        paid = {
            "CustomerRef": {"value": customer},
            "TotalAmt": Decimal("24.69"),
            "Line": [
                {
                    "Amount": Decimal("24.69"),
                    "LinkedTxn": [{"TxnId": first["Id"], "TxnType": "Invoice"}],
                }
            ],
        }
        payment = (await quickbooks.send(protocol.create("Payment", paid, "pay-1"))).entity(
            "Payment"
        )
        stale = {"Id": first["Id"], "SyncToken": first["SyncToken"], "PrivateNote": "x"}
        error = await failure(quickbooks, protocol.sparse_update("Invoice", stale, "note-1"))
        assert reaction(error) is Reaction.REREAD, "the payment raised the invoice's SyncToken"
        now = (await quickbooks.send(protocol.read("Invoice", first["Id"]))).entity("Invoice")
        assert now["Balance"] == 0
        fresh = stale | {"SyncToken": now["SyncToken"]}
        await quickbooks.send(protocol.sparse_update("Invoice", fresh, "note-2"))
        void = protocol.void("Payment", payment["Id"], payment["SyncToken"], "void-1")
        await quickbooks.send(void)
        statement = queries.select("Invoice", [queries.equals("CustomerRef", customer)])
        (row,) = (await quickbooks.send(protocol.query("Invoice", statement))).rows("Invoice")
        assert row["Balance"] == Decimal("24.69")
        delete = protocol.delete("Invoice", row["Id"], row["SyncToken"], "del-1")
        assert (await quickbooks.send(delete)).entity("Invoice")["status"] == "Deleted"
        error = await failure(quickbooks, protocol.read("Invoice", row["Id"]))
        assert reaction(error) is Reaction.RESOLVE


async def test_the_same_request_id_creates_once(sandbox: Sandbox) -> None:
    """Repeating the same bytes replays the first answer."""
    async with connected(sandbox, await sandbox.company()) as quickbooks:
        request = protocol.create("Customer", {"DisplayName": "Ada"}, "key-1")
        answers = [await quickbooks.send(request) for _ in range(3)]
    assert len({answer.entity("Customer")["Id"] for answer in answers}) == 1


async def test_a_company_is_known(sandbox: Sandbox) -> None:
    """Facts and every name list of a new company are read."""
    async with connected(sandbox, await sandbox.company()) as quickbooks:
        facts = await load_company(quickbooks)
        assert facts.is_supported
        assert facts.home_currency == "USD"
        loaded = {
            entity: [one async for page in load_references(quickbooks, entity) for one in page]
            for entity in REFERENCE_ENTITIES
        }
    assert any(one.name_key == "undeposited funds" for one in loaded["Account"])
    assert all(one.id and one.name_key for page in loaded.values() for one in page)
    assert {"TAX", "NON"} <= {one.id for one in loaded["TaxCode"]}


async def test_changes_are_seen(sandbox: Sandbox) -> None:
    """A sweep tells what was created, made inactive and deleted since."""
    realm = await sandbox.company()
    async with connected(sandbox, realm) as quickbooks:
        customer, item = await new_customer(quickbooks), await new_item(quickbooks)
        sent = protocol.create("Invoice", invoice(customer, item), "inv-1")
        created = (await quickbooks.send(sent)).entity("Invoice")
        since = datetime.now(UTC) - timedelta(hours=1)
        changes, at = await load_changes(quickbooks, ["Customer", "Invoice"], since)
        assert at is not None
        assert [one.name for one in changes.references] == ["Ada Byron"]
        assert [one.id for one in changes.transactions] == [created["Id"]]
        await quickbooks.send(
            protocol.delete("Invoice", created["Id"], created["SyncToken"], "del-1")
        )
        changes, _ = await load_changes(quickbooks, ["Customer", "Invoice"], since)
        assert [(one.id, one.deleted) for one in changes.transactions] == [(created["Id"], True)]


async def test_a_batch_fails_item_by_item(sandbox: Sandbox) -> None:
    """Of thirty items a duplicate name and a bad e-mail address fail, the others are done."""
    async with connected(sandbox, await sandbox.company()) as quickbooks:
        await new_customer(quickbooks, "Ada 7")
        bodies: list[dict[str, Any]] = [{"DisplayName": f"Ada {number}"} for number in range(30)]
        bodies[3]["PrimaryEmailAddr"] = {"Address": "nonsense"}
        items = [
            BatchItem(str(number), Verb.CREATE, "Customer", body)
            for number, body in enumerate(bodies)
        ]
        results = read_batch(items, await quickbooks.send(protocol.batch(items, "batch-1")))
    failed = {b_id: result for b_id, result in results.items() if not isinstance(result, Answer)}
    assert {b_id: reaction(error) for b_id, error in failed.items()} == {
        "3": Reaction.DROP_EMAIL,
        "7": Reaction.ADOPT_NAME,
    }


# --- faults of business -----------------------------------------------------------------------


async def test_a_taken_document_number_names_its_holder(sandbox: Sandbox) -> None:
    """Fault 6140 leads to the document that has the number."""
    realm = await sandbox.company()
    preferences = {"SalesFormsPrefs": {"CustomTxnNumbers": True}}
    await sandbox.admin("POST", f"preferences/{realm}", preferences)
    async with connected(sandbox, realm) as quickbooks:
        customer, item = await new_customer(quickbooks), await new_item(quickbooks)
        body = invoice(customer, item, "HS-1")
        first = (await quickbooks.send(protocol.create("Invoice", body, "a"))).entity("Invoice")
        error = await failure(quickbooks, protocol.create("Invoice", body, "b"))
    assert isinstance(error, LookAgain)
    assert number_holder(error) == ("Invoice", first["Id"])


@pytest.mark.parametrize("code", ["6210", "5010"])
async def test_closed_books(sandbox: Sandbox, code: str) -> None:
    """Either code of a closed period asks for another date, never for a re-read."""
    realm = await sandbox.company(closed_period_code=code)
    closed = {"AccountingInfoPrefs": {"BookCloseDate": "2026-01-31"}}
    await sandbox.admin("POST", f"preferences/{realm}", closed)
    async with connected(sandbox, realm) as quickbooks:
        facts = await load_company(quickbooks)
        body = invoice(await new_customer(quickbooks), await new_item(quickbooks))
        request = protocol.create("Invoice", body | {"TxnDate": "2026-01-15"}, "inv-1")
        error = await failure(quickbooks, request)
    assert isinstance(error, Refused)
    assert reaction(error) is Reaction.REDATE
    assert facts.is_closed(datetime(2026, 1, 15, tzinfo=UTC).date())


@pytest.mark.parametrize(
    ("status", "expected"),
    [("expired", Reaction.PARK), ("locked", Reaction.RETRY), ("maintenance", Reaction.RETRY)],
)
@pytest.mark.parametrize("fault_status", [400, 200])
async def test_company_states(
    sandbox: Sandbox, status: str, expected: Reaction, fault_status: int
) -> None:
    """A lapsed company is parked, a locked one waits; also when the fault comes with HTTP 200."""
    realm = await sandbox.company(company_status=status, fault_status=fault_status)
    async with connected(sandbox, realm) as quickbooks:
        request = protocol.create("Customer", {"DisplayName": "Ada"}, "c")
        assert reaction(await failure(quickbooks, request)) is expected


# --- faults of transport ----------------------------------------------------------------------

MISFORTUNES: list[tuple[dict[str, Any], type[QuickBooksError]]] = [
    ({"kind": "drop_before_commit"}, OutcomeUnknown),
    ({"kind": "drop_after_commit"}, OutcomeUnknown),
    ({"kind": "reset", "phase": "before"}, OutcomeUnknown),
    ({"kind": "reset", "phase": "after"}, OutcomeUnknown),
    ({"kind": "delay", "seconds": 2, "phase": "after"}, OutcomeUnknown),
    ({"kind": "delay", "seconds": 2, "phase": "before"}, OutcomeUnknown),
    ({"kind": "status_before_commit", "status": 500}, OutcomeUnknown),
    ({"kind": "status_after_commit", "status": 503}, OutcomeUnknown),
    ({"kind": "truncate"}, OutcomeUnknown),
    ({"kind": "wrong_content_type"}, OutcomeUnknown),
    ({"kind": "throttle"}, RetryLater),
    ({"kind": "expired_token"}, Disconnected),
    ({"kind": "revoked_grant"}, Disconnected),
    ({"kind": "fault", "code": "600", "message": "Duplicate Request ID"}, OutcomeUnknown),
    ({"kind": "fault", "code": "10000", "message": "System error"}, OutcomeUnknown),
]


@pytest.mark.parametrize(
    ("plan", "expected"), MISFORTUNES, ids=lambda value: str(getattr(value, "get", str)("kind"))
)
async def test_after_a_misfortune_the_same_bytes_create_once(
    sandbox: Sandbox, plan: dict[str, Any], expected: type[QuickBooksError]
) -> None:
    """Whatever went wrong, the class says so, and repeating the request leaves one object."""
    realm = await sandbox.company()
    await sandbox.admin("POST", "faults", {**plan, "realm": realm, "count": 1})
    request = protocol.create("Customer", {"DisplayName": "Ada"}, "key-1")
    async with connected(sandbox, realm, patience=timedelta(seconds=1)) as quickbooks:
        assert isinstance(await failure(quickbooks, request), expected)
    async with connected(sandbox, realm) as quickbooks:
        await quickbooks.send(request)
    assert len(await sandbox.books(realm, "Customer")) == 1


@pytest.mark.parametrize("body", ["json", "xml", "gateway"])
@pytest.mark.parametrize("status", [429, 403])
async def test_every_throttle_is_one(sandbox: Sandbox, body: str, status: int) -> None:
    """Each wrapping of a throttle pauses the company for a minute and disconnects nothing."""
    realm = await sandbox.company(throttle_body=body, throttle_status=status)
    await sandbox.admin("POST", "faults", {"kind": "throttle", "realm": realm, "count": 1})
    async with connected(sandbox, realm) as quickbooks:
        error = await failure(quickbooks, protocol.preferences())
        assert isinstance(error, RetryLater)
        assert error.retry_after >= timedelta(seconds=60)
        left = quickbooks.gate.budget.pause_left(quickbooks.gate.clock(), Kind())
        assert left == pytest.approx(60, abs=2)


class LateClock:
    """The monotonic clock, moved on by a test."""

    def __init__(self) -> None:
        self.late = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.late


async def test_the_monthly_allowance(sandbox: Sandbox) -> None:
    """Its 429 looks like any other; after three in a row reads stop and writes go on."""
    realm = await sandbox.company(monthly_reads=1)
    clock = LateClock()
    async with connected(sandbox, realm) as quickbooks:
        quickbooks.gate = Gate(Limits(), clock)
        await quickbooks.send(protocol.preferences())
        for _ in range(3):
            await failure(quickbooks, protocol.preferences())
            clock.late += 61
        error = await failure(quickbooks, protocol.preferences())
        assert isinstance(error, RetryLater)
        assert error.quota_exhausted
        assert await new_customer(quickbooks)
    stats = await sandbox.admin("GET", f"stats/{realm}")
    assert stats["throttled"] == 3, "the fourth read was not sent"


async def test_random_faults_create_each_once(sandbox: Sandbox) -> None:
    """With a fifth of all requests failing in every way, patience creates each exactly once."""
    realm = await sandbox.company()
    kinds = ["drop_after_commit", "drop_before_commit", "status_after_commit", "truncate", "reset"]
    for seed, kind in enumerate(kinds):
        plan = {"kind": kind, "realm": realm, "rate": 0.06, "seed": seed}
        await sandbox.admin("POST", "faults", plan)
    unknown = 0
    async with connected(sandbox, realm) as quickbooks:
        for number in range(20):
            request = protocol.create("Customer", {"DisplayName": f"Ada {number}"}, f"k{number}")
            for _attempt in range(20):
                try:
                    await quickbooks.send(request)
                    break
                except OutcomeUnknown:
                    unknown += 1
            else:
                pytest.fail("twenty attempts failed")
    assert unknown, "no fault struck: the test shows nothing"
    customers = await sandbox.books(realm, "Customer")
    assert sorted(one["DisplayName"] for one in customers) == sorted(
        f"Ada {number}" for number in range(20)
    )


# --- limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["rate", "concurrent"])
async def test_the_company_is_never_throttled(sandbox: Sandbox, rule: str) -> None:
    """Forty calls at once keep to ten a second and ten at a time, as the sandbox counts."""
    realm = await sandbox.company(per_second_rule=rule)
    async with connected(sandbox, realm) as quickbooks, asyncio.TaskGroup() as group:
        for number in range(40):
            body = {"DisplayName": f"Ada {number}"}
            group.create_task(quickbooks.send(protocol.create("Customer", body, f"k{number}")))
    stats = await sandbox.admin("GET", f"stats/{realm}")
    assert stats["throttled"] == 0
    assert stats["created"]["Customer"] == 40


# --- names and queries ------------------------------------------------------------------------


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    people=st.lists(
        st.tuples(st.text(max_size=600), st.emails() | st.text(max_size=120)),
        min_size=30,
        max_size=30,
    ),
    memo=st.text(max_size=1200),
)
async def test_any_text_is_accepted(
    sandbox: Sandbox, people: list[tuple[str, str]], memo: str
) -> None:
    """No name, e-mail address, memo or SKU from HubSpot is refused for its characters or length."""
    bodies = {}
    for number, (name, email) in enumerate(people):
        display = list(names.customer_names(name, email, str(number)))[-1]
        body: dict[str, Any] = {
            "DisplayName": display,
            "GivenName": names.person_name(name),
            "CompanyName": names.company_name(name),
            "Notes": names.clean_text(memo, 2000),
        }
        if address := names.email_address(email):
            body["PrimaryEmailAddr"] = {"Address": address}
        bodies[names.name_key(display)] = body
    items = [
        BatchItem(str(n), Verb.CREATE, "Customer", body) for n, body in enumerate(bodies.values())
    ]
    async with connected(sandbox, await sandbox.company()) as quickbooks:
        results = read_batch(items, await quickbooks.send(protocol.batch(items, "b")))
    assert [result for result in results.values() if not isinstance(result, Answer)] == []


HARD_NAMES = [
    "O'Brien",
    "Kimberly O’Neil",
    'Boot – Wolverine – 6"',
    "Włodarski",
    "back\\slash",
    "trailing\\",
    "100% Wool",
    "José & Söhne",
    "a+b=c?&#",
]


@pytest.mark.parametrize("refuses", [False, True])
async def test_hard_names_are_found(sandbox: Sandbox, refuses: bool) -> None:
    """Each name is found by a query, whether or not the parser takes typographic characters."""
    realm = await sandbox.company(query_raw_quotes_refused=refuses)
    async with connected(sandbox, realm) as quickbooks:
        for name in HARD_NAMES:
            body = {"DisplayName": name}
            await quickbooks.send(protocol.create("Customer", body, f"k-{HARD_NAMES.index(name)}"))
        for name in HARD_NAMES:
            condition = queries.resembles("DisplayName", name)
            assert condition is not None
            statement = queries.select("Customer", [condition])
            rows = (await quickbooks.send(protocol.query("Customer", statement))).rows("Customer")
            assert name in [row["DisplayName"] for row in rows]


# --- OAuth ------------------------------------------------------------------------------------


@asynccontextmanager
async def authorised(
    sandbox: Sandbox, realm: str
) -> AsyncIterator[tuple[AuthorizationServer, Tokens]]:
    """Consent as an administrator would, and exchange the code."""
    async with aiohttp.ClientSession() as session:
        endpoints = await discover(session, f"{sandbox.url}/.well-known/openid_configuration/")
        app = OAuthApp("client-1", "secret-1", "http://localhost:8910/callback", endpoints)
        url = f"{oauth.authorize_url(app, 'st-1')}&{urlencode({'realm': realm})}"
        async with session.get(url, allow_redirects=False) as response:
            consent = oauth.read_redirect(response.headers["Location"], "st-1")
        assert consent.realm_id == realm
        server = AuthorizationServer(session, app)
        yield server, await server.exchange(consent.code)


async def test_consent_refresh_and_revocation(sandbox: Sandbox) -> None:
    """Consent gives tokens that work; a refused one is renewed; a revoked grant disconnects."""
    realm = await sandbox.company(oauth_enforced=True)
    async with authorised(sandbox, realm) as (server, tokens):
        assert tokens.hard_expires_at is not None
        store = MemoryStore(tokens)
        shared = SharedTokens(realm, store, server)
        async with connected(sandbox, realm, shared) as quickbooks:
            await quickbooks.send(protocol.preferences())
            await sandbox.admin(
                "POST", "faults", {"kind": "expired_token", "realm": realm, "count": 1}
            )
            await quickbooks.send(protocol.preferences())
            assert store.stored is not None
            assert store.stored.access_token != tokens.access_token
            await server.revoke(store.stored.refresh_token)
            error = await failure(quickbooks, protocol.preferences())
    assert isinstance(error, Disconnected)
    assert error.code == "invalid_grant"
    assert reaction(error) is Reaction.RECONNECT


async def test_rotating_refresh_tokens_are_never_used_twice(sandbox: Sandbox) -> None:
    """With a new refresh token at every refresh, sharers of one store never meet invalid_grant."""
    realm = await sandbox.company(oauth_enforced=True)
    await sandbox.admin("POST", "switches", {"refresh_rotation_seconds": 0})
    try:
        async with authorised(sandbox, realm) as (server, tokens):
            store = MemoryStore(tokens)

            async def process() -> None:
                shared = SharedTokens(realm, store, server)
                token = await shared.access_token()
                for _ in range(50):
                    token = await shared.refresh(token)

            await asyncio.gather(process(), process())
    finally:
        await sandbox.admin("POST", "switches", {"refresh_rotation_seconds": 86_400})


async def test_a_static_token_of_another_company(sandbox: Sandbox) -> None:
    """With OAuth enforced a made-up token is refused and, being static, disconnects."""
    realm = await sandbox.company(oauth_enforced=True)
    async with connected(sandbox, realm, StaticToken("made up")) as quickbooks:
        assert isinstance(await failure(quickbooks, protocol.preferences()), Disconnected)
