"""A wrong setting is named with what to write instead, and its value is not repeated."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from reconciler.errors import ConfigurationError
from reconciler.running.http import serve
from reconciler.settings import read_settings


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("POSTGRES_DSN", "user:s3cret@host", "write postgresql://USER"),
        ("QUICKBOOKS_BASE_URL", "notaurl", "begins with https://"),
        ("HUBSPOT_BASE_URL", "api.hubapi.com", "begins with https://"),
        ("KAFKA_CA_FILE", "/no/such.pem", "there is no file /no/such.pem"),
        ("WORKFLOWS", "/no/such.yaml", "there is no file /no/such.yaml"),
    ],
)
def test_a_wrong_setting_is_named(
    name: str, value: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflows = tmp_path / "workflows.yaml"
    workflows.touch()
    monkeypatch.setenv("RECONCILER_WORKFLOWS", str(workflows))
    monkeypatch.setenv(f"RECONCILER_{name}", value)
    with pytest.raises(ConfigurationError) as caught:
        read_settings()
    (told,) = str(caught.value).splitlines()
    assert told.startswith(f"RECONCILER_{name}: ")
    assert advice in told
    assert "s3cret" not in told


def test_a_misspelt_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is nearly a setting is a mistake; what Kubernetes names like one is not."""
    workflows = tmp_path / "workflows.yaml"
    workflows.touch()
    monkeypatch.setenv("RECONCILER_WORKFLOWS", str(workflows))
    monkeypatch.setenv("RECONCILER_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("RECONCILER_PORT_8080_TCP_PORT", "8080")
    read_settings()
    monkeypatch.setenv("RECONCILER_POSTGRES_DNS", "postgresql://user:s3cret@host/db")
    with pytest.raises(ConfigurationError) as caught:
        read_settings()
    assert str(caught.value).startswith("RECONCILER_POSTGRES_DNS: there is no such setting")
    assert "RECONCILER_POSTGRES_DSN" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_pooler_needs_a_direct_address_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the pooler alone locks would not hold and nothing would be heard."""
    workflows = tmp_path / "workflows.yaml"
    workflows.touch()
    monkeypatch.setenv("RECONCILER_WORKFLOWS", str(workflows))
    monkeypatch.setenv("RECONCILER_POSTGRES_POOLER", "true")
    with pytest.raises(ConfigurationError, match=r"^RECONCILER_POSTGRES_DIRECT_DSN: write"):
        read_settings()
    monkeypatch.setenv("RECONCILER_POSTGRES_DIRECT_DSN", "postgresql://postgres@host/db")
    read_settings()


async def test_a_port_in_use_is_named() -> None:
    """At once, and by its setting."""
    async with serve(web.Application(), "127.0.0.1", 0, setting="RECONCILER_HTTP_PORT") as port:
        with pytest.raises(ConfigurationError, match=f"RECONCILER_HTTP_PORT: 127.0.0.1:{port} "):
            async with serve(web.Application(), "127.0.0.1", port, setting="RECONCILER_HTTP_PORT"):
                pass
