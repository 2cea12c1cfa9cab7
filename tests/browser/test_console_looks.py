"""Every page of the console in a real browser: pictures, contrast, width, keys.

With RECONCILER_SAVE_SCREENSHOTS set, those that the documentation shows go to docs/images.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import asyncpg
import pytest

from tests.browser.chromium import Tab
from tests.browser.conftest import Running

CONTRAST = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")
SIZES = {"": (1180, 800), "narrow": (390, 844)}

PAGES = {
    "overview": "/",
    "documents": "/documents?text=renewal",
    "document": "/documents/{created}",
    "stopped": "/documents/{blocked}",
    "object": "/objects/deal/{deal}",
    "blocked": "/blocked",
    "waiting": "/waiting",
    "dead-letters": "/dead-letters",
    "dead-letter": "/dead-letters/{letter}",
    "companies": "/companies",
    "company": "/companies/9341450000000001",
    "workflows": "/workflows",
    "replays": "/replays",
    "preview": "/replays/preview?company=us",
    "audit": "/audit",
    "search": "/search?q=Press",
    "login": "/login",
}


@pytest.fixture
async def paths(service: Running) -> dict[str, str]:
    """The pages, with ids that the ledger really has."""
    connection = await asyncpg.connect(service.postgres_dsn)
    try:
        ids = await connection.fetchrow(
            """
            SELECT (SELECT max(document_id) FROM documents
                     WHERE state = 'created' AND action = 'invoice') AS created,
                   (SELECT max(document_id) FROM documents
                     WHERE reason = 'product_not_found') AS blocked,
                   (SELECT max(object_id) FROM documents
                     WHERE reason = 'product_not_found' AND object_type = 'deal') AS deal,
                   (SELECT min(dead_letter_id) FROM dead_letters WHERE reason = 'encoding') AS letter
            """
        )
    finally:
        await connection.close()
    return {name: path.format(**dict(ids)) for name, path in PAGES.items()}


@pytest.mark.timeout(300)
async def test_every_page_can_be_read(
    service: Running, tab: Tab, paths: dict[str, str], tmp_path: Path
) -> None:
    """Light and dark, wide and narrow: contrast is AA, nothing sticks out, nothing is refused."""
    await _replay(service, tab)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    problems = []
    for name, path in paths.items():
        if name == "login":
            await tab.call("Network.clearBrowserCookies")
        for size, (width, height) in SIZES.items():
            for scheme in ("light", "dark"):
                await tab.look(width, height, scheme)
                await tab.open(f"{service.url}/console{path}")
                problems += [f"{path} {scheme}: {told}" for told in await tab.evaluate(CONTRAST)]
                wide = await tab.evaluate("document.documentElement.scrollWidth - innerWidth")
                if wide > 0:
                    problems.append(f"{path} at {width}: {wide} px too wide")
                await tab.picture(pictures / _file(name, size, scheme))
    assert problems == []
    assert tab.complaints == []
    _save(pictures)


async def _replay(service: Running, tab: Tab) -> None:
    """Have one done, through the page, so that there is something to see."""
    await tab.open(f"{service.url}/console/replays")
    await tab.follow("document.querySelector('form[action$=\"/replays/replay\"]').requestSubmit()")
    async with asyncio.timeout(60):
        while "Done" not in await tab.evaluate("document.querySelector('main').textContent"):
            await asyncio.sleep(0.5)


def _file(name: str, size: str, scheme: str) -> str:
    parts = ["console", name, size, "" if scheme == "light" else scheme]
    return "-".join(filter(None, parts)) + ".png"


def _save(pictures: Path) -> None:
    """Keep what the documentation shows: each page once, and a few in the dark and narrow."""
    if not os.environ.get("RECONCILER_SAVE_SCREENSHOTS"):
        return
    images = Path("docs/images")
    images.mkdir(parents=True, exist_ok=True)
    chosen = {_file(name, "", "light") for name in PAGES}
    chosen |= {_file("overview", "", "dark"), _file("document", "", "dark")}
    chosen |= {_file("overview", "narrow", "light"), _file("blocked", "narrow", "dark")}
    for name in chosen:
        shutil.copy(pictures / name, images / name)


async def test_the_contrast_check_sees_faint_text(service: Running, tab: Tab) -> None:
    """The check above is not blind."""
    await tab.open(f"{service.url}/console/")
    await tab.evaluate("document.querySelector('h1').style.color = '#999'")
    assert [told.split(":")[0] for told in await tab.evaluate(CONTRAST)] == ["Overview"]


async def test_keys_find_open_and_close(service: Running, tab: Tab) -> None:
    """`/` goes to the search, `g d` to the documents, `j` to a row, `?` shows the keys."""
    await tab.open(f"{service.url}/console/")
    await tab.press("/")
    assert await tab.evaluate("document.activeElement.id") == "q"
    await tab.evaluate("document.activeElement.blur()")
    await tab.press("?")
    assert await tab.evaluate("document.getElementById('keys').open")
    await tab.press("Escape")
    tab.loaded.clear()
    await tab.press("g")
    await tab.press("d")
    await tab.loaded.wait()
    assert await tab.evaluate("location.pathname") == "/console/documents"
    await tab.press("j")
    await tab.press("j")
    second = "document.querySelectorAll('.rows tbody tr')[1].contains(document.activeElement)"
    assert await tab.evaluate(second)


async def test_asking_why_works_by_keyboard(service: Running, tab: Tab) -> None:
    """Dismiss opens with the field focused, needs a reason, and Escape closes it again."""
    await tab.open(f"{service.url}/console/blocked")
    await tab.evaluate("document.querySelector('details.ask summary').focus()")
    await tab.press("Enter")
    await tab.evaluate("document.querySelector('details.ask').open || "
                       "document.querySelector('details.ask summary').click()")  # fmt: skip
    await tab.evaluate("new Promise(done => setTimeout(done))")
    assert await tab.evaluate("document.activeElement.name") == "why"
    assert not await tab.evaluate("document.activeElement.form.checkValidity()")
    await tab.press("Escape")
    assert await tab.evaluate("document.querySelectorAll('details.ask[open]').length") == 0


async def test_figures_are_refreshed_in_place(service: Running, tab: Tab) -> None:
    """What has changed appears without a reload, and nothing else on the page is touched."""
    await tab.open(f"{service.url}/console/")
    await tab.evaluate("""
        document.querySelector('[data-live=questions]').innerHTML = 'old';
        document.querySelector('h1').dataset.kept = 'yes'
    """)
    await tab.evaluate("refresh()")
    assert "Are we keeping up?" in await tab.evaluate("document.querySelector('main').textContent")
    assert await tab.evaluate("document.querySelector('h1').dataset.kept") == "yes"


@pytest.mark.parametrize(
    ("page", "part"),
    [
        pytest.param("overview", "[aria-labelledby=why] table", id="causes on the overview"),
        pytest.param("overview", "[aria-labelledby=recent] ul", id="what people did"),
        pytest.param("overview", ".menu a[href$='/blocked'] .count", id="the menu"),
        pytest.param("blocked", "main section", id="what is blocked"),
        pytest.param("waiting", "main table", id="what waits"),
        pytest.param("document", ".facts div", id="a document's facts"),
        pytest.param("document", ".timeline", id="a document's timeline"),
    ],
)
async def test_figures_come_and_go_with_what_they_are_about(
    service: Running, tab: Tab, paths: dict[str, str], page: str, part: str
) -> None:
    """What was not there when the page was opened appears beside the figures that speak of it."""
    await tab.open(f"{service.url}/console{paths[page]}")
    await tab.evaluate(f"document.querySelectorAll({part!r}).forEach(each => each.remove())")
    await tab.evaluate("refresh()")
    assert await tab.evaluate(f"document.querySelectorAll({part!r}).length") > 0


async def test_a_page_whose_session_is_over_leads_to_the_log_in(service: Running, tab: Tab) -> None:
    """It shows no old figures as if they were new."""
    await tab.open(f"{service.url}/console/")
    await tab.call("Network.clearBrowserCookies")
    await tab.follow("refresh()")
    assert await tab.evaluate("location.pathname + location.search") == (
        "/console/login?next=%2Fconsole%2F"
    )


@pytest.mark.parametrize("page", ["documents", "dead-letters", "overview"])
async def test_a_telephone_shows_only_what_it_has_room_for(
    service: Running, tab: Tab, paths: dict[str, str], page: str
) -> None:
    """No column without its heading, and no button for ticks that can't be set there."""
    await tab.look(*SIZES["narrow"], "light")
    await tab.open(f"{service.url}/console{paths[page]}")
    shown = "[...document.querySelectorAll('.wide, .tick')].filter(each => each.checkVisibility())"
    assert await tab.evaluate(f"{shown}.length") == 0
    assert "selected" not in await tab.evaluate("document.querySelector('main').innerText")
    count = "document.querySelector('td.number').getBoundingClientRect().right"
    assert await tab.evaluate(f"{count} <= innerWidth")


@pytest.mark.parametrize(
    ("page", "name"),
    [("documents", "tbody a + span"), ("document", "h1 .for"), ("document", ".lines tbody td"),
     ("overview", "[aria-labelledby=why] td .muted"), ("object", "h1 .for")],
)  # fmt: skip
@pytest.mark.parametrize("size", SIZES)
async def test_a_long_name_leaves_room_for_the_rest(
    service: Running, tab: Tab, paths: dict[str, str], page: str, name: str, size: str
) -> None:
    """It is broken where it must be, instead of moving state and amount out of sight."""
    await tab.look(*SIZES[size], "light")
    await tab.open(f"{service.url}/console{paths[page]}")
    await tab.evaluate(f"document.querySelector({name!r}).textContent = 'Longname'.repeat(60)")
    wide = "[document.documentElement, document.querySelector('.scroll')]"
    more = await tab.evaluate(f"{wide}.map(each => each.scrollWidth - each.clientWidth)")
    assert max(more) <= 0


async def test_the_pages_need_no_script(service: Running, tab: Tab, tmp_path: Path) -> None:
    """With JavaScript off, retry still works from the page."""
    await tab.call("Emulation.setScriptExecutionDisabled", value=True)
    await tab.open(f"{service.url}/console/blocked")
    document = await tab.call("DOM.getDocument", depth=0)
    found = await tab.call(
        "DOM.querySelector", nodeId=document["root"]["nodeId"], selector=".group form button"
    )
    box = (await tab.call("DOM.getBoxModel", nodeId=found["nodeId"]))["model"]["content"]
    tab.loaded.clear()
    for kind in ("mousePressed", "mouseReleased"):
        await tab.call(
            "Input.dispatchMouseEvent", type=kind, x=box[0] + 5, y=box[1] + 5,
            button="left", clickCount=1,
        )  # fmt: skip
    await tab.loaded.wait()
    await tab.call("Emulation.setScriptExecutionDisabled", value=False)
    assert "looked at again" in await tab.evaluate("document.querySelector('.notice').textContent")
