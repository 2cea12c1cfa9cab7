"""The dashboards as Grafana draws them: its panel components over a real Prometheus, in Chromium.

`npm install && npm run build` in this folder first, then `pytest -m grafana`. There is no Grafana
server in it: page.tsx does what one does between the JSON and the components. With
RECONCILER_SAVE_SCREENSHOTS set, the pictures go to docs/images.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import pytest
import yaml
from aiohttp import web

from reconciler.demo.runner import COMPANIES
from tests.browser import chromium
from tests.dashboards import DASHBOARDS, NOTHING_UNDER_LOAD, under_load
from tests.prometheus import ROOT, Prometheus, needs_prometheus

HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules"
ICONS = PACKAGES / "@grafana/ui/dist/public/img"
FONTS = PACKAGES / "@fontsource/inter/files"
WIDTH = 1600
MINUTES = 5

pytestmark = [
    pytest.mark.grafana,
    pytest.mark.timeout(600),
    needs_prometheus,
    pytest.mark.skipif(chromium.find() is None, reason="there is no Chromium"),
    pytest.mark.skipif(
        not (HERE / "build/page.js").exists(),
        reason="the page is not built: npm install && npm run build in tests/grafana_panels",
    ),
]

MISFORTUNES = (
    {"kind": "status_before_commit", "status": 503, "rate": 0.05, "seed": 1},
    {"kind": "throttle", "rate": 0.02, "seed": 2, "count": 1},
    {"kind": "drop_after_commit", "rate": 0.02, "seed": 3},
)
"""What QuickBooks does now and then, so that the panels about it are seen at work."""

PICTURES = [
    *((path.stem, "dark") for path in sorted(DASHBOARDS.glob("*.json"))),
    ("overview", "light"),
]


class Served(NamedTuple):
    """Where the page is."""

    url: str
    tab: chromium.Tab


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Minutes of load, so that lines are seen to move."""
    parts = 20
    pause = MINUTES * 60 / parts * 0.75
    directory = tmp_path_factory.mktemp("panels")
    with under_load(directory, parts, pause, MISFORTUNES) as watching:
        yield watching


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """The page on this machine, and a browser."""
    app = web.Application()
    app.router.add_get("/public/fonts/inter/Inter-{style}.woff2", _font)
    app.router.add_static("/public/build/img", ICONS)
    app.router.add_static("/dashboards", DASHBOARDS)
    app.router.add_static("/", HERE)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with chromium.browser(tmp_path / "profile") as tab:
        yield Served(f"http://127.0.0.1:{runner.addresses[0][1]}/index.html", tab)
    await runner.cleanup()


async def _font(request: web.Request) -> web.FileResponse:
    weight = {"Regular": 400, "Medium": 500}[request.match_info["style"]]
    return web.FileResponse(FONTS / f"inter-latin-{weight}-normal.woff2")


@pytest.mark.parametrize(("name", "theme"), PICTURES)
async def test_every_panel_is_drawn(
    loaded: Prometheus, served: Served, name: str, theme: str, tmp_path: Path
) -> None:
    """None has an error or lacks its data, and no text is cut off."""
    tab = served.tab
    dashboard = json.loads((DASHBOARDS / f"{name}.json").read_text())
    source = yaml.safe_load(
        (ROOT / "deploy/grafana/provisioning/datasources/prometheus.yaml").read_text()
    )
    asked = {
        "dashboard": name,
        "prometheus": loaded.url,
        "scrape_interval": source["datasources"][0]["jsonData"]["timeInterval"],
        "from": f"now-{MINUTES}m",
        "var-realm": COMPANIES[0].split(":")[0],
        "theme": theme,
    }
    await tab.look(WIDTH, 900, theme)
    await tab.open(f"{served.url}?{urlencode(asked)}")
    panels = await tab.evaluate("window.drawn")
    await tab.look(WIDTH, await tab.evaluate("document.documentElement.scrollHeight"), theme)
    picture = tmp_path / f"dashboard-{name}{'' if theme == 'dark' else '-light'}.png"
    await tab.picture(picture)
    if os.environ.get("RECONCILER_SAVE_SCREENSHOTS"):
        shutil.copy(picture, ROOT / "docs/images")

    assert [panel["title"] for panel in panels if panel.get("error")] == []
    excused = {title for board, title in NOTHING_UNDER_LOAD if board == dashboard["title"]}
    assert {panel["title"] for panel in panels if panel["empty"]} <= excused
    assert {panel["title"]: panel["cut"] for panel in panels if panel["cut"]} == {}
    assert tab.complaints == []
