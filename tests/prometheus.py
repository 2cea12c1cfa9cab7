"""A real Prometheus for the tests: started on a port of its own, asked over its HTTP API.

Called by the tests of dashboards and alerts. Needs `prometheus` and `promtool` on the PATH (Debian:
`apt-get install prometheus`); where they are missing, those tests are skipped.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconciler.demo.environment import Child, free_port
from streams import child

ROOT = Path(__file__).parents[1]
RULES = ROOT / "deploy/prometheus/rules"

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="prometheus and promtool are not installed (Debian package: prometheus)",
)

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?<=[\[ :])(\d+)([smhd])\b")


@dataclass(frozen=True)
class Prometheus:
    """One that runs."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The result now; raises ValueError with Prometheus's words if the query is wrong."""
        parameters = urllib.parse.urlencode({"query": expression})
        return list(self._get(f"/api/v1/query?{parameters}")["data"]["result"])

    def firing(self) -> set[str]:
        """Names of the alerts that fire now."""
        alerts = self._get("/api/v1/alerts")["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def _get(self, path: str) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as response:  # noqa: S310
                return dict(json.load(response))
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error).get("error", str(error))) from error


@contextmanager
def prometheus(
    directory: Path, targets: Sequence[str], rules: Path | None = None
) -> Iterator[Prometheus]:
    """Scrapes *targets* (host:port) as job `reconciler` every second while the block runs."""
    home = directory / "prometheus"
    home.mkdir()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules / "*.yml")] if rules else [],
        "scrape_configs": [
            {"job_name": "reconciler", "static_configs": [{"targets": list(targets)}]}
        ],
    }
    (home / "prometheus.yml").write_text(json.dumps(config))  # YAML holds JSON
    port = free_port()
    process = child.spawn(
        [
            "prometheus",
            f"--config.file={home / 'prometheus.yml'}",
            f"--storage.tsdb.path={home / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        home / "prometheus.log",
    )
    try:
        Child("prometheus", process, port, home / "prometheus.log").wait_until("/-/ready")
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(20)


def wait_for(what: str | Callable[[], str], is_so: Any, seconds: float = 60.0) -> None:
    """Return once *is_so()* is true; fails after *seconds*. Prometheus tells nobody: one must ask."""
    text = what if callable(what) else lambda: what
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            pytest.fail(f"within {seconds:g} s it did not come to be that {text()}")
        time.sleep(0.25)


def faster(rules: str, factor: int) -> str:
    """The same rules on a clock that runs *factor* times as fast.

    Ranges, offsets, `for` and the numbers marked `# seconds` are divided. The objective's minute
    becomes ten seconds: a faster clock makes no faster machine.
    """

    def shorter(match: re.Match[str]) -> str:
        seconds = int(match[1]) * _SECONDS[match[2]]
        return f"{max(1, round(seconds / factor))}s"

    text = re.sub(r"(\d+) # seconds", lambda m: f"{int(m[1]) / factor:g}", rules)
    return _DURATION.sub(shorter, text).replace('le="60.0"', 'le="10.0"')


def faster_rules(directory: Path, factor: int) -> Path:
    """A folder with the project's rules on the faster clock, checked by promtool."""
    folder = directory / "rules"
    folder.mkdir()
    for path in RULES.glob("*.yml"):
        (folder / path.name).write_text(faster(path.read_text(), factor))
    files = [str(path) for path in folder.glob("*.yml")]
    subprocess.run(["promtool", "check", "rules", *files], check=True, capture_output=True)
    return folder


def substituted(expression: str, values: Mapping[str, str]) -> str:
    """A panel's query with Grafana's variables filled in."""
    for name in sorted(values, key=len, reverse=True):
        expression = expression.replace(f"${name}", values[name])
    return expression
