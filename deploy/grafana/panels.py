"""The few kinds of panel that our dashboards are made of, as Grafana's JSON.

Used by `build.py`. Sizes are in Grafana's grid of 24 columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN, AMBER, RED = "green", "orange", "red"

PER_SECOND = "suffix:/s"
"""Grafana's own unit for this reads `ops/s`, whatever is counted."""

_AT_LEAST_UP_TO = {"s": 0.1, PER_SECOND: 0.1, "short": 1}
"""Where an axis ends at the lowest, by unit: without it a line at 0 gets one up to 100."""

Panel = dict[str, Any]
Steps = Sequence[tuple[str, float]]


def steps(amber: float, red: float) -> Steps:
    """Green, then amber from the first value and red from the second."""
    return ((AMBER, amber), (RED, red))


BAD_ABOVE_ZERO: Steps = ((RED, 1),)


def _target(expression: str, legend: str, letter: str, **more: Any) -> dict[str, Any]:
    return {
        "datasource": SOURCE,
        "expr": expression,
        "legendFormat": legend,
        "refId": letter,
        **more,
    }


def _panel(
    kind: str, title: str, about: str, unit: str, size: tuple[int, int], empty: str
) -> Panel:
    width, height = size
    defaults = {"unit": unit, **({"noValue": empty} if empty else {})}
    return {
        "type": kind,
        "title": title,
        "description": about,
        "datasource": SOURCE,
        "gridPos": {"w": width, "h": height},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {},
    }


def stat(
    title: str,
    expression: str,
    about: str,
    unit: str = "short",
    colours: Steps = (),
    *,
    empty: str = "",
    words: Mapping[int, str] = MappingProxyType({}),
) -> Panel:
    """One number that says at a glance whether all is well.

    *empty* is shown where there is none, *words* for numbers that stand for something.
    """
    panel = _panel("stat", title, about, unit, (4, 4), empty)
    thresholds = [{"color": GREEN, "value": None}]
    thresholds += [{"color": colour, "value": value} for colour, value in colours]
    panel["fieldConfig"]["defaults"]["thresholds"] = {"mode": "absolute", "steps": thresholds}
    if words:
        texts = {str(number): {"text": word} for number, word in words.items()}
        panel["fieldConfig"]["defaults"]["mappings"] = [{"type": "value", "options": texts}]
    panel["options"] = {
        "reduceOptions": {"calcs": ["lastNotNull"]},
        "colorMode": "background" if colours else "value",
        "graphMode": "area",
    }
    panel["targets"] = [_target(expression, "", "A", instant=False)]
    return panel


def graph(
    title: str,
    queries: Sequence[tuple[str, str]],
    about: str,
    unit: str = "short",
    *,
    width: int = 8,
    stacked: bool = False,
    empty: str = "",
) -> Panel:
    """Lines over time; *queries* are expressions with their legends."""
    panel = _panel("timeseries", title, about, unit, (width, 9), empty)
    panel["fieldConfig"]["defaults"]["min"] = 0
    panel["fieldConfig"]["defaults"]["custom"] = {
        "fillOpacity": 20 if stacked else 5,
        "showPoints": "never",
        "stacking": {"mode": "normal" if stacked else "none"},
        "axisSoftMax": _AT_LEAST_UP_TO.get(unit),
    }
    limits = [legend for _, legend in queries if legend.startswith(("limit", "allowance"))]
    panel["fieldConfig"]["overrides"] = [_dashed(limit) for limit in limits]
    panel["options"] = {
        "legend": {
            "displayMode": "table",
            "placement": "bottom",
            "calcs": ["lastNotNull", "max"],
            "sortBy": "Last *",
            "sortDesc": True,
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    panel["targets"] = [
        _target(expression, legend, chr(ord("A") + number))
        for number, (expression, legend) in enumerate(queries)
    ]
    return panel


def _dashed(legend: str) -> dict[str, Any]:
    """An override by which a limit looks like one."""
    looks = {
        "color": {"mode": "fixed", "fixedColor": RED},
        "custom.lineStyle": {"fill": "dash", "dash": [8, 8]},
        "custom.fillOpacity": 0,
    }
    return {
        "matcher": {"id": "byName", "options": legend},
        "properties": [{"id": name, "value": value} for name, value in looks.items()],
    }


def table(
    title: str,
    expression: str,
    about: str,
    *,
    value: str = "",
    hide: Sequence[str] = ("instance",),
    empty: str = "",
    size: tuple[int, int] = (8, 9),
) -> Panel:
    """Rows by label, largest first; the number's column is called *value*, or left out.

    Grafana shows *empty* in an empty cell too.
    """
    panel = _panel("table", title, about, "short", size, empty)
    panel["targets"] = [_target(expression, "", "A", instant=True, format="table")]
    hidden = dict.fromkeys(("Time", "__name__", "job", *hide, *(() if value else ("Value",))), True)
    names = {"Value": value} if value else {}
    panel["transformations"] = [
        {"id": "organize", "options": {"excludeByName": hidden, "renameByName": names}}
    ]
    if value:
        panel["transformations"].append(
            {"id": "sortBy", "options": {"sort": [{"field": value, "desc": True}]}}
        )
    return panel


def row(title: str) -> Panel:
    """A heading."""
    return {
        "type": "row",
        "title": title,
        "collapsed": False,
        "gridPos": {"w": 24, "h": 1},
        "panels": [],
    }


def variable(
    name: str, label: str, query: str, *, many: bool = True, regex: str = ""
) -> dict[str, Any]:
    """A choice at the top of the dashboard, filled from label values."""
    return {
        "type": "query", "name": name, "label": label, "datasource": SOURCE, "query": query,
        "definition": query, "regex": regex, "refresh": 2, "includeAll": many, "multi": many,
        "allValue": ".*" if many else None, "sort": 1,
        "current": {"text": "All", "value": "$__all"} if many else {},
    }  # fmt: skip


@dataclass
class Dashboard:
    """A dashboard; its panels are laid out in the order given, left to right."""

    uid: str
    title: str
    about: str
    panels: list[Panel]
    realm: str = "many"
    variables: list[dict[str, Any]] = field(default_factory=list)

    def json(self) -> dict[str, Any]:
        """As Grafana's provisioning reads it."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.about,
            "tags": ["reconciler"],
            "schemaVersion": 39,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,
            "time": {"from": "now-1h", "to": "now"},
            "refresh": "10s",
            "timezone": "browser",
            "links": [
                {"type": "dashboards", "tags": ["reconciler"], "title": "Reconciler", "asDropdown": False,
                 "includeVars": True, "keepTime": True, "icon": "external link", "targetBlank": False,
                 "tooltip": ""}
            ],
            "templating": {"list": self._choices()},
            "annotations": {"list": [self._alerts()]},
            "panels": laid_out(self.panels),
        }  # fmt: skip

    def _choices(self) -> list[dict[str, Any]]:
        source = {
            "type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus",
            "current": {"text": "Prometheus", "value": "prometheus"},
        }  # fmt: skip
        job = variable("job", "job", "label_values(reconciler_build_info, job)")
        realm = variable(
            "realm", "company", 'query_result(reconciler_company_info{job=~"$job"})',
            many=self.realm == "many", regex='/name="(?<text>[^"]*)".*realm_id="(?<value>[^"]*)"/',
        )  # fmt: skip
        return [source, job, realm]

    def _alerts(self) -> dict[str, Any]:
        return {
            "name": "alerts", "datasource": SOURCE, "enable": True, "iconColor": RED,
            "expr": 'ALERTS{alertstate="firing", alertname=~"Reconciler.*"}',
            "titleFormat": "{{alertname}}", "textFormat": "{{realm_id}}",
        }  # fmt: skip


def laid_out(panels: Sequence[Panel]) -> list[Panel]:
    """Give each panel its id and place: rows filled from the left, the tallest making the height."""
    placed, x, y, tallest = [], 0, 0, 0
    for number, panel in enumerate(panels, start=1):
        size = panel["gridPos"]
        if x + size["w"] > 24:
            x, y, tallest = 0, y + tallest, 0
        placed.append({**panel, "id": number, "gridPos": {**size, "x": x, "y": y}})
        x, tallest = x + size["w"], max(tallest, size["h"])
    return placed
