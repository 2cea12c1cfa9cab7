"""Every query of every dashboard, run by a real Prometheus that scrapes the running service."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from aiohttp import ClientSession

from reconciler.console.access import NoLogin
from reconciler.console.wiring import access_of
from reconciler.demo.runner import COMPANIES
from reconciler.metrics import Metrics
from reconciler.metrics.reference import page
from reconciler.settings import read_settings
from tests.dashboards import DASHBOARDS, NOTHING_UNDER_LOAD, under_load
from tests.prometheus import (
    ROOT,
    RULES,
    Prometheus,
    needs_prometheus,
    substituted,
)

VARIABLES = {
    "job": "reconciler",
    "realm": ".*",
    "__rate_interval": "5m",
    "__interval": "5s",
    "__range": "1m",
}


class Query(NamedTuple):
    """One query of one panel."""

    dashboard: str
    panel: str
    kind: str
    expression: str
    legend: str


def queries() -> list[Query]:
    """All of them."""
    found = []
    for path in sorted(DASHBOARDS.glob("*.json")):
        dashboard = json.loads(path.read_text())
        for panel in dashboard["panels"]:
            found += [
                Query(
                    dashboard["title"],
                    panel["title"],
                    panel["type"],
                    target["expr"],
                    target["legendFormat"],
                )
                for target in panel.get("targets", ())
            ]
    return found


def test_the_dashboards_are_what_the_script_makes() -> None:
    """deploy/grafana/dashboards/*.json are current, so a change belongs in build.py."""
    script = "import build, json, sys; json.dump(build.built(), sys.stdout)"
    made = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT / "deploy/grafana", check=True, capture_output=True
    )
    files = {path.name: path.read_text() for path in DASHBOARDS.glob("*.json")}
    assert json.loads(made.stdout) == files


def test_the_reference_of_metrics_is_current() -> None:
    """docs/metrics.md is what `python -m reconciler.metrics.reference` makes now."""
    assert (ROOT / "docs/metrics.md").read_text() == page()


def test_panels_have_a_place_of_their_own() -> None:
    """No two panels of a dashboard overlap, and each says what to make of it or is plain."""
    for path in DASHBOARDS.glob("*.json"):
        dashboard = json.loads(path.read_text())
        taken: set[tuple[int, int]] = set()
        for panel in dashboard["panels"]:
            at = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(at["x"], at["x"] + at["w"])
                for y in range(at["y"], at["y"] + at["h"])
            }
            assert at["x"] + at["w"] <= 24
            assert not taken & cells, (dashboard["title"], panel["title"])
            taken |= cells


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has watched the service take the demo's feed."""
    with under_load(tmp_path_factory.mktemp("dashboards"), quickbooks_limits="false") as watching:
        yield watching


@needs_prometheus
@pytest.mark.parametrize("query", queries(), ids=lambda query: f"{query.dashboard}: {query.panel}")
def test_a_panel_shows_something_under_load(loaded: Prometheus, query: Query) -> None:
    """No query is refused by Prometheus, nor empty while the service works, but those named above."""
    result = loaded.query(substituted(query.expression, VARIABLES))
    if (query.dashboard, query.panel) not in NOTHING_UNDER_LOAD:
        assert result, query.expression
    if query.kind == "timeseries":
        lines = [series["metric"] for series in result]
        assert all(_named(query.legend, labels) for labels in lines), "a line without a name"


def _named(legend: str, labels: dict[str, str]) -> str:
    """A line's name as Grafana makes it."""
    return re.sub(r"{{(\w+)}}", lambda label: labels.get(label[1], ""), legend).strip()


@needs_prometheus
@pytest.mark.parametrize(
    "query",
    [query for query in queries() if query.kind == "stat"],
    ids=lambda query: f"{query.dashboard}: {query.panel}",
)
def test_a_figure_is_a_number_or_nothing(loaded: Prometheus, query: Query) -> None:
    """Of a company for which nothing is created, none is NaN: Grafana shows that as an empty box."""
    idle = {**VARIABLES, "realm": COMPANIES[1].split(":")[0]}
    result = loaded.query(substituted(query.expression, idle))
    assert "NaN" not in [series["value"][1] for series in result]


@needs_prometheus
def test_a_state_in_which_nothing_is_any_more_is_shown_as_0(loaded: Prometheus) -> None:
    """Not as it last was, which is what the legend says of a line that ends."""
    (query,) = [
        each
        for each in queries()
        if (each.dashboard, each.panel) == ("Overview", "Documents by state")
    ]
    expression = substituted(query.expression, {**VARIABLES, "__range": "10m"})
    ended = (
        time.time() + 400
    )  # Prometheus takes a series for ended five minutes after its last point
    result = loaded.query(f"last_over_time(({expression})[1s:1s] @ {ended:.0f})")
    assert {series["value"][1] for series in result} == {"0"}


SHOWN_BY_EACH_OF_TWO = {
    'reconciler_ledger_documents{realm_id="1", action="invoice", state="blocked", reason="no_lines"}': 3,
    'reconciler_ledger_documents{realm_id="1", action="invoice", state="created", reason=""}': 3,
    'reconciler_ledger_due_documents{realm_id="1", priority="live"}': 3,
    'reconciler_documents_drifted{realm_id="1", drift="edited_in_quickbooks"}': 3,
    'reconciler_company_connected{realm_id="1"}': 1,
}
SHOWN_ONCE = {
    ("Overview", "Waiting and blocked, by reason"): ('{state="blocked", reason="no_lines"}', 3),
    ("Overview", "Documents by state"): ('{state="blocked"}', 3),
    ("Overview", "Due now"): ("{}", 3),
    ("Overview", "Drifted"): ("{}", 3),
    ("Overview", "Companies connected"): ("{}", 1),
    ("Company", "Created"): ("{}", 3),
    ("Company", "Drift"): ('{drift="edited_in_quickbooks"}', 3),
    ("Replay and backfill", "Due documents"): ('{priority="live"}', 3),
}


@needs_prometheus
def test_what_two_processes_show_alike_counts_once_in_kubernetes(tmp_path: Path) -> None:
    """There a series has a pod, a container and a node beside the instance: what is in Postgres is not
    multiplied by the number of processes."""
    series = [
        {"series": name.replace("}", f', job="reconciler", instance="{pod}:8080", pod="{pod}", '
                                f'namespace="n", container="reconciler", node="{pod}"}}'),
         "values": str(value)}
        for name, value in SHOWN_BY_EACH_OF_TWO.items()
        for pod in ("a", "b")
    ]  # fmt: skip
    asked = [
        {"expr": substituted(query.expression, VARIABLES), "eval_time": "0m",
         "exp_samples": [{"labels": labels, "value": value}]}
        for query in queries()
        for labels, value in [SHOWN_ONCE.get((query.dashboard, query.panel), ("", 0))]
        if labels
    ]  # fmt: skip
    assert len(asked) == len(SHOWN_ONCE)
    test = {"tests": [{"interval": "1m", "input_series": series, "promql_expr_test": asked}]}
    (tmp_path / "test.yml").write_text(json.dumps(test))  # YAML holds JSON
    done = subprocess.run(
        ["promtool", "test", "rules", "test.yml"], cwd=tmp_path, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@needs_prometheus
def test_a_variable_finds_its_values(loaded: Prometheus) -> None:
    """The choices of job and company at the top of each dashboard are filled."""
    assert loaded.query("reconciler_build_info")[0]["metric"]["job"] == "reconciler"
    companies = loaded.query('reconciler_company_info{job=~"reconciler"}')
    assert len({company["metric"]["realm_id"] for company in companies}) == len(COMPANIES)


def test_exceptions_name_panels_that_exist() -> None:
    """A panel that was renamed doesn't stay excused."""
    assert set(NOTHING_UNDER_LOAD) <= {(each.dashboard, each.panel) for each in queries()}


@needs_prometheus
def test_the_rules_are_sound() -> None:
    """promtool accepts the configuration and every rule, and its unit tests of the rules pass."""
    folder = ROOT / "deploy/prometheus"
    subprocess.run(["promtool", "check", "config", "prometheus.yml"], cwd=folder, check=True)
    tests = [str(path.name) for path in Path(folder / "tests").glob("*.yml")]
    assert tests
    done = subprocess.run(
        ["promtool", "test", "rules", *tests],
        cwd=folder / "tests",
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_its_section_in_the_runbook() -> None:
    """An alert's annotation leads to a section that says what it means, what to check, what to do."""
    text = (ROOT / "docs/operations.md").read_text()
    sections = {part.split("\n", 1)[0].strip().lower(): part for part in text.split("\n### ")[1:]}
    links = [
        rule["annotations"]["runbook"]
        for group in yaml.safe_load((RULES / "alerts.yml").read_text())["groups"]
        for rule in group["rules"]
    ]
    assert links
    for link in links:
        name = link.removeprefix("docs/operations.md#")
        assert all(word in sections[name] for word in ("**Means**", "**Check**", "**Act**")), name


def test_queries_and_rules_use_metrics_that_exist() -> None:
    """No dashboard and no rule asks for a metric that docs/metrics.md does not list."""
    families = {each.name: each.kind for each in Metrics("").families.described}
    texts = [each.expression for each in queries()]
    texts += [path.read_text() for path in RULES.glob("*.yml")]
    for name in set(re.findall(r"\breconciler_\w+", "\n".join(texts))):
        plain = re.sub(r"_(bucket|count|sum)$", "", name)
        assert name in families or families.get(plain) == "histogram", name


def test_the_rules_for_kubernetes_are_current() -> None:
    """deploy/kubernetes/rules.yaml holds the same groups as deploy/prometheus/rules."""
    inside = yaml.safe_load((ROOT / "deploy/kubernetes/rules.yaml").read_text())["spec"]["groups"]
    files = sorted(RULES.glob("*.yml"))
    assert inside == [g for path in files for g in yaml.safe_load(path.read_text())["groups"]]


def test_the_manifests_name_each_other() -> None:
    """What the deployment refers to, the other manifests define; no secret has a value."""
    folder = ROOT / "deploy/kubernetes"
    manifests = [yaml.safe_load(path.read_text()) for path in folder.glob("*.yaml")]
    kinds = {(m["kind"], m["metadata"]["name"]) for m in manifests if "metadata" in m}
    assert {("Deployment", "reconciler"), ("Secret", "reconciler"), ("ConfigMap", "reconciler"),
            ("Service", "reconciler"), ("PodDisruptionBudget", "reconciler")} <= kinds  # fmt: skip
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    assert all((folder / name).is_file() for name in listed)
    secret = yaml.safe_load((folder / "secret.yaml").read_text())["stringData"]
    assert all("REPLACE" in value for value in secret.values())


def test_no_probe_ends_a_process_for_a_broken_feed() -> None:
    """/healthz is 503 from the start of a process that finds a topic re-created: were it asked by the
    startup probe, Kubernetes would end the process again and again, and dispatch with it."""
    deployment = yaml.safe_load((ROOT / "deploy/kubernetes/deployment.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["tcpSocket"] == {"port": "http"}
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_processes_that_can_do_no_work_keep_no_node_from_being_drained() -> None:
    """While Kafka is away none is ready; killing one is safe at any moment, so none need be kept."""
    budget = yaml.safe_load((ROOT / "deploy/kubernetes/disruption.yaml").read_text())["spec"]
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


async def test_the_composed_service_has_a_console(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where docs/operations.md says: on an address that is no loopback one there is none unless asked
    for. It is served by the name of this machine only, so that no page elsewhere can reach it."""
    composed = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["reconciler"]
    port = r"\$\{RECONCILER_PORT:-(\d+)\}"
    for name, text in composed["environment"].items():
        monkeypatch.setenv(name, re.sub(port, r"\1", str(text)))
    monkeypatch.setenv("RECONCILER_HTTP_HOST", "0.0.0.0")  # as in deploy/Dockerfile
    monkeypatch.setenv("RECONCILER_WORKFLOWS", str(ROOT / "reconciler/demo/workflows.yaml"))
    async with ClientSession() as http:
        assert access_of(read_settings(), http) == NoLogin(frozenset({"localhost"}))
    published = re.sub(port, r"\1", composed["ports"][0])
    assert published == "127.0.0.1:8080:8080"
