"""“Where is my invoice?” is answered from whatever a person has in hand, however much is stored."""

from __future__ import annotations

import unicodedata

import asyncpg
import pytest

from reconciler.model import SOURCE_TYPES, ObjectKey, ObjectType
from reconciler.ports.views import DocumentFilter
from reconciler.workflows import load
from store import finding
from store.operator import OperatorStore
from tests.feeds import Associated, History, Step
from tests.intake_at_work import PORTAL, IntakeAtWork
from tests.workflow_files import deals_in, workflow_file

AT = 1_769_817_600_000
LINES: Associated = (("71", {"name": "Rollout", "price": "100.00", "quantity": "1"}),)
FILE = load(
    workflow_file({"us": {"realm_id": "9341450000000001"}}, deals_in("won"), deals_in("offered"))
)
MANY = 20_000


def deal(id_: str, name: str, stage: str = "won", at: int = AT, **contact: str) -> History:
    """A deal with a contact; known by its line items unless it is a bare one."""
    person = {"firstname": "Ada", "lastname": "Byron", "email": "ada@example.com", **contact}
    lists: dict[str, Associated] = {"contacts": (("81", person),), "line_items": LINES}
    if stage == "offered":
        del lists["line_items"]
    properties: dict[str, str | None] = {"dealname": name, "dealstage": stage}
    return History(ObjectKey(PORTAL, ObjectType.DEAL, id_), (Step(at, properties, lists),))


@pytest.fixture
async def store(pool: asyncpg.Pool) -> OperatorStore:
    """Three documents, one of which has no content yet, and a deal without any."""
    await IntakeAtWork(pool, FILE).take(
        deal("1001", "Straße_7 50% off"),
        deal("1002", "Grain", firstname="Grace", lastname="Hopper", email="grace@navy.example"),
        deal("1003", "Waiting for lines", "offered"),
        deal("1004", "Nobody's grain", "lost"),
    )
    await pool.execute("UPDATE documents SET document_number = 'INV-7' WHERE object_id = '1001'")
    return OperatorStore(pool)


async def found(store: OperatorStore, text: str) -> list[str]:
    """The objects of the documents, newest first."""
    documents = await store.documents(DocumentFilter(text=text), None, 25)
    return [each.key.object_id for each in documents]


@pytest.mark.parametrize(
    ("text", "objects"),
    [
        pytest.param("ada  BYR", ["1001"], id="part of the customer's name"),
        pytest.param("grace@navy", ["1002"], id="part of the address"),
        pytest.param("strasse", ["1001"], id="part of the deal's name, spelled otherwise"),
        pytest.param("ing for l", ["1003"], id="a document without content, by its deal's name"),
        pytest.param("1002", ["1002"], id="HubSpot id"),
        pytest.param("INV-7", ["1001"], id="QuickBooks number"),
        pytest.param("Invoice INV-7", ["1001"], id="number, said with what it is"),
        pytest.param("receipt no. INV-7", ["1001"], id="number, said to be one"),
        pytest.param("#INV-7", ["1001"], id="number sign"),
        pytest.param("Deal 1002", ["1002"], id="HubSpot id, said with what it is"),
        pytest.param("0%", ["1001"], id="a percent sign is one"),
        pytest.param("e_7", ["1001"], id="an underscore is one"),
        pytest.param("r_7", [], id="an underscore is nothing else"),
        pytest.param("nobody's", [], id="a deal without documents"),
    ],
)
async def test_a_document_is_found_by(text: str, objects: list[str], store: OperatorStore) -> None:
    assert await found(store, text) == objects


async def test_accents_are_found_however_they_are_written(store: OperatorStore) -> None:
    """As one character or as two (NFC or NFD), in what is stored and in what is asked."""
    forms = [unicodedata.normalize(form, "José Núñez") for form in ("NFC", "NFD")]
    work = IntakeAtWork(store.pool, FILE, group="later")
    await work.take(*(deal(str(2001 + n), each) for n, each in enumerate(forms)))
    for each in forms:
        assert await found(store, each) == ["2002", "2001"]


async def test_no_name_is_too_odd_or_too_long_to_be_kept(store: OperatorStore) -> None:
    """Postgres holds no NUL in a text, and an index no entry longer than a third of a page."""
    wide = "𝔘" * 400
    work = IntakeAtWork(store.pool, FILE, group="later")
    await work.take(deal("1005", f"Nil\0 {wide}", firstname=wide, lastname=wide, email=wide))
    assert await found(store, "nil") == ["1005"]


async def test_an_object_is_found_by_its_name(store: OperatorStore) -> None:
    """Whatever became of it, last changed first."""
    hits = await store.named("grain", SOURCE_TYPES, 25)
    assert {each.key.id for each in hits} == {"1002", "1004"}


async def test_who_it_is_made_out_to_now_is_found(store: OperatorStore) -> None:
    """Not who it was to be made out to before."""
    work = IntakeAtWork(store.pool, FILE, group="later")
    await work.take(deal("1001", "Grain", at=AT + 1000, firstname="Alan", lastname="Turing"))
    assert await found(store, "alan turing") == ["1001"]
    assert await found(store, "ada byron") == []


async def test_a_text_that_very_many_share_is_found_page_by_page(
    store: OperatorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is left out, the newest come first."""
    await copy(store.pool, 30)
    monkeypatch.setattr(finding, "MOST_AT_ONCE", 10)
    wanted = DocumentFilter(text="ada byron")
    ids, after = list[int](), None
    while page := await store.documents(wanted, after, 7):
        ids += [each.document_id for each in page]
        after = ids[-1]
    assert len(ids) == 31
    assert ids == sorted(ids, reverse=True)


async def test_a_search_reads_no_table_through(store: OperatorStore) -> None:
    """Only what is kept for searching, which is a few percent of what is stored."""
    await copy(store.pool, MANY)
    for query, arguments in (
        (finding._DOCUMENTS, ("%alan%", 5000, "alan", list(SOURCE_TYPES), 10**9)),
        (finding._OBJECTS, ("%alan%", 5000, list(SOURCE_TYPES), 25)),
    ):
        rows = await store.pool.fetch(f"EXPLAIN {query}", *arguments)
        plan = "\n".join(row[0] for row in rows)
        assert "Seq Scan on documents" not in plan, plan
        assert "Seq Scan on objects" not in plan, plan


async def copy(pool: asyncpg.Pool, times: int) -> None:
    """The first deal and its document under other ids."""
    await pool.execute(
        """
        INSERT INTO objects (portal_id, object_type, object_id, version, state, changed_at, found_by)
        SELECT portal_id, object_type, n::text, version, state, changed_at, found_by
          FROM objects, generate_series(2001, 2000 + $1) AS n WHERE object_id = '1001'
        """,
        times,
    )
    await pool.execute(
        """
        WITH copied AS (
            INSERT INTO documents (realm_id, action, portal_id, object_type, object_id, enrolment,
                                   workflow, state, content, enrolled_at, generation, revision,
                                   version, attempts)
            SELECT realm_id, action, portal_id, object_type, n::text, enrolment, workflow, state,
                   content, enrolled_at, 1, 1, 1, 0
              FROM documents, generate_series(2001, 2000 + $1) AS n WHERE object_id = '1001'
            RETURNING document_id)
        INSERT INTO document_names
        SELECT c.document_id, found_by
          FROM copied AS c, document_names JOIN documents USING (document_id)
         WHERE object_id = '1001'
        """,
        times,
    )
    await pool.execute("VACUUM ANALYZE objects, documents, document_names")
