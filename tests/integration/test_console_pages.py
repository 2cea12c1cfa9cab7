"""The console's pages over a ledger filled by real intake: they tell it all, and act on it."""

from __future__ import annotations

import asyncio
import os
import re

import asyncpg
import pytest

from reconciler.console.context import BASE
from reconciler.console.past import Past
from tests.console import (
    HASHES,
    VIEWER_PASSWORD,
    XSS,
    XSS_DEAL,
    Visitor,
    console_at,
    crawl,
    rows,
)


async def test_every_link_leads_to_a_page_anyone_can_use(ada: Visitor) -> None:
    """No link is dead, and each page has one heading, landmarks, names of controls and captions."""
    pages = await crawl(ada)
    assert len(pages) > 50, rows(pages)
    assert [page for page in rows(pages) if not page.startswith("200")] == []
    assert [problem for page in pages for problem in page.problems()] == []
    kinds = {page.path.removeprefix(BASE).split("?")[0].split("/")[1] for page in pages}
    assert kinds == {
        "", "documents", "objects", "blocked", "waiting", "dead-letters", "companies", "workflows",
        "audit", "replays",
    }  # fmt: skip


async def test_what_hubspot_says_is_text(ada: Visitor) -> None:
    """Markup in names, properties and records is shown as it was written, and runs nowhere."""
    pages = await crawl(ada)
    shown = [page for page in pages if "alert(" in page.body]
    assert len(shown) > 3, rows(shown)
    for page in shown:
        assert "<script>alert" not in page.body, page.path
        assert "<img" not in page.body, page.path
        assert all(set(each.attributes) <= {"src", "defer"} for each in page.all("script"))
    deal = await ada.get(f"{BASE}/objects/deal/{XSS_DEAL}")
    assert XSS in deal.text


async def test_writes_are_not_measured_against_a_limit_of_requests(
    ada: Visitor, ledger: asyncpg.Connection
) -> None:
    """Many documents go in one request, so 514 of 500 would alarm without cause."""
    realm_id = await ledger.fetchval("SELECT max(realm_id) FROM documents")
    for path in ("companies", f"companies/{realm_id}"):
        page = await ada.get(f"{BASE}/{path}")
        assert "Writes, last minute" in page.text
        assert "of 500" not in page.text


async def test_hostile_bytes_of_a_dead_letter_can_be_read(
    ada: Visitor, ledger: asyncpg.Connection
) -> None:
    """Direction and control characters are spelled out; what is no text is a table of bytes."""
    letters = await ledger.fetch(
        "SELECT dead_letter_id, record_offset FROM dead_letters WHERE partition = 1 ORDER BY 2"
    )
    hidden, binary = [
        await ada.get(f"{BASE}/dead-letters/{letter['dead_letter_id']}") for letter in letters
    ]
    assert "U+202E" in hidden.text
    assert "\u202e" not in hidden.body
    assert "U+0007" in hidden.text
    assert "ff fe 00 01 3c 73 63" in binary.text


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        pytest.param("object_id", "objects", id="a HubSpot id"),
        pytest.param("document_id", "documents", id="our own number"),
        pytest.param("name", "objects", id="a deal's name"),
    ],
)
async def test_search_lands_on_the_page(
    ada: Visitor, ledger: asyncpg.Connection, column: str, kind: str
) -> None:
    """What a person has in hand leads straight to the one page that is meant."""
    row = await ledger.fetchrow(
        """
        SELECT d.object_id, '#' || d.document_id AS document_id, o.state->'properties'->>'dealname'
               AS name
          FROM documents AS d JOIN objects AS o USING (portal_id, object_type, object_id)
         WHERE d.object_type = 'deal' AND d.state = 'wanted' AND d.object_id <> $1
           AND (SELECT count(*) FROM objects AS other
                 WHERE other.state::text ILIKE '%' || (o.state->'properties'->>'dealname') || '%') = 1
           AND (SELECT count(*) FROM documents AS other
                 WHERE other.content::text ILIKE '%' || (o.state->'properties'->>'dealname') || '%') = 1
         ORDER BY d.document_id LIMIT 1
        """,
        XSS_DEAL,
    )
    page = await ada.get(f"{BASE}/search?q={row[column].replace('#', '%23')}")
    assert page.status == 200
    assert page.path.startswith((f"{BASE}/{kind}/", f"{BASE}/documents/"))
    assert row["object_id"] in page.text


async def test_search_by_customer_lists_documents(ada: Visitor, ledger: asyncpg.Connection) -> None:
    """An email address leads to the documents made out to it."""
    email = await ledger.fetchval(
        "SELECT content->'customer'->>'email' FROM documents WHERE state = 'wanted' "
        "AND content->'customer'->>'email' <> '' ORDER BY document_id LIMIT 1"
    )
    page = await ada.get(f"{BASE}/search?q={email}")
    assert page.status == 200
    assert any(f"{BASE}/documents/" in href for href in page.links) or "/documents/" in page.path


async def test_a_search_that_takes_too_long_is_given_up(
    ada: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says what to search by instead."""
    monkeypatch.setattr("store.finding.WITHIN_SECONDS", 1e-6)
    page = await ada.get(f"{BASE}/search?q=grain")
    assert page.status == 503
    assert "did not find this within" in page.text


async def test_an_unknown_id_is_told_apart_from_one_without_documents(ada: Visitor) -> None:
    """A record that was never read says so, and what to check."""
    page = await ada.get(f"{BASE}/search?q=deal+999")
    assert page.path.startswith(f"{BASE}/objects/deal/999")
    assert "No change of deal 999" in page.text
    assert "could not be understood: reconciler dead-letters list" in page.text


async def test_paging_shows_every_document_once(ada: Visitor, ledger: asyncpg.Connection) -> None:
    """Following `Next page` from the first comes to each document, newest first."""
    path, numbers = f"{BASE}/documents", list[int]()
    while path:
        page = await ada.get(path)
        boxes = [each for each in page.all("a") if "tbody" in each.parents]
        numbers += [
            int(each.attributes["href"].rsplit("/", 1)[1])
            for each in boxes if each.attributes["href"].startswith(f"{BASE}/documents/")
        ]  # fmt: skip
        path = next((e.attributes["href"] for e in page.all("a") if e.text == "Next page"), "")
    known = await ledger.fetch("SELECT document_id FROM documents ORDER BY document_id DESC")
    assert numbers == [row[0] for row in known]


async def test_paging_shows_every_audit_entry_once(
    ada: Visitor, ledger: asyncpg.Connection
) -> None:
    """Also of entries about one thing; a page says which it is about."""
    await ledger.execute(
        """
        INSERT INTO audit_log (actor, action, target, detail)
        SELECT 'Grace', 'retry', 'document ' || n % 2, json_build_object('why', 'no ' || n || '.')
          FROM generate_series(1, 130) AS n
        """
    )
    for about, expected in (("", range(130, 0, -1)), ("?target=document+1", range(129, 0, -2))):
        path, numbers = f"{BASE}/audit{about}", list[int]()
        while path:
            page = await ada.get(path)
            numbers += [int(found) for found in re.findall(r"Why: no (\d+)\.", page.text)]
            path = next((e.attributes["href"] for e in page.all("a") if e.text == "Next page"), "")
        assert numbers == list(expected)


async def test_filters_restrict(ada: Visitor) -> None:
    """Each filter in the address holds of every row; nonsense in it is no error."""
    page = await ada.get(f"{BASE}/documents?state=waiting&action=invoice")
    states = [
        e.text for e in page.all("span") if e.attributes.get("class", "").startswith("state ")
    ]
    assert states
    assert set(states) == {"Waiting"}
    odd = await ada.get(f"{BASE}/documents?state=nonsense&after=-1&realm_id=%27&action=;")
    assert odd.status == 200
    for path in ("documents?text=%00", "objects/deal/%00", "search?q=a%00b", "documents/99999999"):
        assert (await ada.get(f"{BASE}/{path}")).status in (400, 404), path


async def test_retry_of_a_group_acts_under_ones_name(
    ada: Visitor, ledger: asyncpg.Connection
) -> None:
    """The button looks at the whole group again, says how many, and the audit log says who."""
    page = await ada.get(f"{BASE}/blocked")
    group = next(
        form for form in page.forms[f"{BASE}/retry"] if "detail" not in form and "realm_id" in form
    )
    blocked = await ledger.fetchval(
        "SELECT count(*) FROM documents WHERE state = 'blocked' AND realm_id = $1 AND reason = $2",
        group["realm_id"],
        group["reason"],
    )
    after = await ada.send(f"{BASE}/retry", group)
    assert after.path == f"{BASE}/blocked"
    assert f"{blocked} documents looked at again" in after.text or "1 document looked" in after.text
    entries = await ledger.fetch("SELECT actor, action FROM audit_log WHERE action = 'retry'")
    assert {tuple(entry) for entry in entries} == {("Ada Lovelace", "retry")}
    assert len(entries) == blocked


async def test_trouble_with_hubspot_is_told_and_written_back_again(
    ada: Visitor, ledger: asyncpg.Connection
) -> None:
    """What could not be fetched or written stands on the overview and the pages that it concerns."""
    row = await ledger.fetchrow(
        """
        INSERT INTO write_backs (document_id, state, problem)
        SELECT min(document_id), 'blocked', 'HubSpot: a scope is missing' FROM documents
        RETURNING document_id
        """
    )
    await ledger.execute(
        """
        INSERT INTO hydrations (portal_id, object_type, object_id, next_hydration_at, problem)
        SELECT portal_id, object_type, object_id, '2031-01-01', 'HubSpot: no answer'
          FROM documents WHERE document_id = $1
        """,
        row[0],
    )
    overview = await ada.get(f"{BASE}/")
    sentences = [
        "Documents could not be written back to HubSpot. HubSpot: a scope is missing.",
        "Missing facts could not be fetched from HubSpot. HubSpot: no answer.",
        "It is tried again at 2031-01-01",
    ]
    for sentence in sentences:
        assert sentence in overview.text
    document = await ada.get(f"{BASE}/documents/{row[0]}")
    assert f"Document {row[0]} could not be written back to HubSpot." in document.text
    after = await ada.send(f"{BASE}/write-back", overview.form(f"{BASE}/write-back"))
    assert "1 document will be written back again." in after.text
    assert await ledger.fetchval("SELECT state FROM write_backs") == "wanted"


async def test_dismissing_needs_a_reason_and_keeps_it(
    ada: Visitor, ledger: asyncpg.Connection
) -> None:
    """Without one nothing happens; with one the document and the audit log carry it."""
    number = await ledger.fetchval(
        "SELECT document_id FROM documents WHERE state = 'blocked' ORDER BY document_id LIMIT 1"
    )
    path = f"{BASE}/documents/{number}"
    form = (await ada.get(path)).form(f"{BASE}/dismiss", document=str(number))
    refused = await ada.send(f"{BASE}/dismiss", form | {"why": "  "})
    assert "say why" in refused.text
    done = await ada.send(f"{BASE}/dismiss", form | {"why": "entered by hand"})
    assert done.path == path
    assert "Dismissed by Ada Lovelace: entered by hand" in done.text
    again = done.form(f"{BASE}/retry", document=str(number))
    await ada.send(f"{BASE}/retry", again)
    state = await ledger.fetchval("SELECT state FROM documents WHERE document_id = $1", number)
    assert state != "dismissed"


async def test_selected_documents_are_retried(ada: Visitor, ledger: asyncpg.Connection) -> None:
    """Ticks in the list choose; documents in the list that were not ticked stay as they are."""
    page = await ada.get(f"{BASE}/documents?state=blocked")
    boxes = [
        e.attributes["value"] for e in page.all("input") if e.attributes.get("type") == "checkbox"
    ]
    form = page.form(f"{BASE}/retry")
    ticked = [("document", boxes[0]), ("document", boxes[1]), *form.items()]
    after = await ada.send(f"{BASE}/retry", ticked)
    assert after.path == f"{BASE}/documents?state=blocked"
    targets = await ledger.fetch("SELECT target FROM audit_log WHERE action = 'retry'")
    assert sorted(row[0] for row in targets) == sorted(f"document {box}" for box in boxes[:2])


async def test_redriving_what_is_still_not_understood_says_so(
    ada: Visitor, ledger: asyncpg.Connection
) -> None:
    """The record stays, with the reason; dismissing it resolves it, with the reason given."""
    number = await ledger.fetchval("SELECT min(dead_letter_id) FROM dead_letters")
    path = f"{BASE}/dead-letters/{number}"
    form = (await ada.get(path)).form(f"{BASE}/dead-letters/redrive")
    after = await ada.send(f"{BASE}/dead-letters/redrive", form)
    assert "It still can't be understood" in after.text
    form = after.form(f"{BASE}/dead-letters/dismiss")
    after = await ada.send(f"{BASE}/dead-letters/dismiss", form | {"why": "a log line"})
    assert "dismissed by Ada Lovelace: a log line" in after.text


async def test_a_form_that_was_sent_twice_begins_one_replay(filled_dsn: str) -> None:
    """A second one would be out of reach: nothing could stop it, nor end it with the service."""
    async with console_at(filled_dsn) as site, site.visitor() as visitor:
        site.console.past = Past(command=("sh", "-c", "exec sleep 100"))
        form = (await visitor.get(f"{BASE}/replays")).form(f"{BASE}/replays/replay")
        pages = await asyncio.gather(
            *(visitor.send(f"{BASE}/replays/replay", form) for _ in range(3))
        )
        assert all(page.status == 200 for page in pages)
        children = await asyncio.create_subprocess_exec(
            "pgrep", "-c", "-P", str(os.getpid()), "sleep", stdout=asyncio.subprocess.PIPE
        )
        output, _ = await children.communicate()
        assert int(output) == 1


async def test_pages_of_a_viewer_have_no_buttons(filled_dsn: str) -> None:
    """A viewer sees what an operator sees, without forms that change something."""
    async with (
        console_at(filled_dsn, console_auth="password", **HASHES) as site,
        site.visitor() as visitor,
    ):
        await visitor.log_in(VIEWER_PASSWORD)
        pages = await crawl(visitor)
        assert len(pages) > 50
        actions = {action for page in pages for action in page.forms} - {
            f"{BASE}/search", f"{BASE}/documents", f"{BASE}/logout", "",
        }  # fmt: skip
        sent = {a for a in actions for p in pages for f in p.forms.get(a, []) if "csrf" in f}
        assert sent == set()


async def test_empty_console_says_what_to_do(database_dsn: str) -> None:
    """Before anything was read every page stands, and says what will be on it."""
    async with console_at(database_dsn) as site, site.visitor() as visitor:
        pages = await crawl(visitor)
        assert {page.status for page in pages} == {200}
        assert [problem for page in pages for problem in page.problems()] == []
        assert "No document is blocked" in (await visitor.get(f"{BASE}/blocked")).text


async def test_the_next_page_keeps_all_that_was_asked_for(ada: Visitor) -> None:
    """Several states, and parameters of no page, which are no error."""
    path = f"{BASE}/documents?state=wanted&state=waiting&state=blocked&path=x&self=y"
    states = set[str]()
    while path:
        page = await ada.get(path)
        assert page.status == 200
        states |= {
            each.text for each in page.all("span")
            if each.attributes.get("class", "").startswith("state ")
        }  # fmt: skip
        path = next((e.attributes["href"] for e in page.all("a") if e.text == "Next page"), "")
    assert states == {"Wanted", "Waiting", "Blocked"}


async def test_what_an_action_came_to_is_told_in_any_script(
    ada: Visitor, ledger: asyncpg.Connection
) -> None:
    """A long text is cut before browsers drop the cookie that carries it."""
    await ledger.execute("UPDATE dead_letters SET reason = 'json', detail = repeat('漢', 900)")
    letters = await ledger.fetch(
        "SELECT dead_letter_id FROM dead_letters WHERE resolved_at IS NULL"
    )
    await ledger.execute("UPDATE dead_letters SET resolved_at = now(), resolution = detail")
    page = await ada.get(f"{BASE}/documents?state=blocked")
    csrf = page.form(f"{BASE}/retry")["csrf"]
    ticked = [("dead_letter", str(each[0])) for each in letters[:4]] + [("csrf", csrf)]
    async with ada.http.post(
        f"{ada.site}{BASE}/dead-letters/redrive", data=ticked, headers={"Origin": ada.site},
        allow_redirects=False,
    ) as answer:  # fmt: skip
        assert answer.status == 303
        assert len(answer.headers["Set-Cookie"].split(";")[0]) < 4000
    assert "resolved already: 漢漢" in (await ada.get(f"{BASE}/dead-letters")).text
