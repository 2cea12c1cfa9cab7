"""Makes the console from the settings. Called by `app`, which mounts it with `routes.mount`.

Whatever is missing or contradicts is told at start, by the names of the variables.
"""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

import structlog
from aiohttp import ClientSession

from reconciler.console.access import (
    LOOPBACK_NAMES,
    Access,
    ByPassword,
    ByProvider,
    ByProxy,
    NoLogin,
)
from reconciler.console.context import Console
from reconciler.console.oidc import Client, Provider
from reconciler.console.passwords import PasswordHash
from reconciler.console.people import Grants, listed
from reconciler.console.sessions import Sessions, fingerprint
from reconciler.errors import ConfigurationError
from reconciler.operator.desk import Operator
from reconciler.settings import Settings

_log = structlog.get_logger("reconciler.console")


def open_console(settings: Settings, operator: Operator, http: ClientSession) -> Console | None:
    """The console, or None where there is none. Raises ConfigurationError."""
    access = access_of(settings, http)
    if access is None:
        return None
    keys = listed(settings.console_keys.get_secret_value())
    return Console(
        operator=operator,
        access=access,
        sessions=Sessions.with_keys(keys, timedelta(hours=settings.console_session_hours)),
        clock=operator.clock,
        url=_origin(settings.console_url),
        workflow_text=settings.workflows.read_text(encoding="utf-8"),
    )


def access_of(settings: Settings, http: ClientSession) -> Access | None:
    """How people are let in; None: no console."""
    match settings.console_auth:
        case "password":
            return _by_password(settings)
        case "proxy":
            return _by_proxy(settings)
        case "oidc":
            return _by_provider(settings, http)
        case "off":
            return _no_login(settings)
        case _:
            return _no_login(settings) if is_loopback(settings.http_host) else None


def _no_login(settings: Settings) -> NoLogin:
    if is_loopback(settings.http_host):
        return NoLogin(LOOPBACK_NAMES | _host_of(settings.console_url))
    _log.warning("the console has no log-in: everyone who reaches it may act")
    return NoLogin(_host_of(settings.console_url))


def _by_password(settings: Settings) -> ByPassword:
    _needed(settings, "password", "console_password_hash")
    operator = settings.console_password_hash.get_secret_value()
    viewer = settings.console_viewer_password_hash.get_secret_value()
    return ByPassword(
        operator=PasswordHash.read(operator),
        viewer=PasswordHash.read(viewer) if viewer else None,
        granted_on=fingerprint("password", operator, viewer),
    )


def _by_proxy(settings: Settings) -> ByProxy:
    _needed(settings, "proxy", "console_proxies")
    try:
        networks = [ip_network(each) for each in listed(settings.console_proxies)]
    except ValueError as error:
        raise ConfigurationError(f"RECONCILER_CONSOLE_PROXIES: {error}.") from None
    return ByProxy(
        networks=tuple(networks),
        user_header=settings.console_user_header,
        groups_header=settings.console_groups_header,
        grants=_grants(settings),
    )


def _by_provider(settings: Settings, http: ClientSession) -> ByProvider:
    _needed(settings, "oidc", "console_oidc_issuer", "console_oidc_client_id", "console_url")
    issuer = urlsplit(settings.console_oidc_issuer)
    if issuer.scheme != "https" and not is_loopback(issuer.hostname or ""):
        raise ConfigurationError("RECONCILER_CONSOLE_OIDC_ISSUER must begin with https://.")
    client = Client(
        issuer=settings.console_oidc_issuer,
        client_id=settings.console_oidc_client_id,
        client_secret=settings.console_oidc_client_secret.get_secret_value(),
        scopes=settings.console_oidc_scopes,
        groups_claim=settings.console_oidc_groups_claim,
    )
    grants = _grants(settings)
    groups = (*sorted(grants.operators), "", *sorted(grants.viewers))
    return ByProvider(
        Provider(client, http), grants, fingerprint(client.issuer, client.client_id, *groups)
    )


def _grants(settings: Settings) -> Grants:
    grants = Grants(
        frozenset(listed(settings.console_operators)), frozenset(listed(settings.console_viewers))
    )
    if not (grants.operators or grants.viewers):
        raise ConfigurationError(
            "Nobody could use the console: name groups in RECONCILER_CONSOLE_OPERATORS or "
            "RECONCILER_CONSOLE_VIEWERS (* is everyone who can log in)."
        )
    return grants


def _needed(settings: Settings, mode: str, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        if not (value if isinstance(value, str) else value.get_secret_value()):
            raise ConfigurationError(
                f"RECONCILER_CONSOLE_AUTH={mode} needs RECONCILER_{name.upper()}."
            )


def _origin(url: str) -> str:
    if not url:
        return ""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
        raise ConfigurationError(
            "RECONCILER_CONSOLE_URL must be scheme and host only, such as https://books.example.com."
        )
    return f"{parts.scheme}://{parts.netloc}"


def _host_of(url: str) -> frozenset[str]:
    name = urlsplit(url).hostname
    return frozenset({name}) if name else frozenset()


def is_loopback(host: str) -> bool:
    """True for an address that only this machine reaches."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
