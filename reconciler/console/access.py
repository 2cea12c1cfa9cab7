"""The ways to be let in, and who a request comes from.

`protect` asks `identify` on every request; `login` and `wiring` make and use the same values. A
header of a proxy counts only from the proxy's own address; everything else comes from the sealed
session.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address

from aiohttp import web

from reconciler.console.oidc import Provider
from reconciler.console.passwords import PasswordHash
from reconciler.console.people import Grants, Person, Role
from reconciler.console.sessions import Session

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class NoLogin:
    """Everyone who reaches the address is an operator, as on one's own machine.

    Only requests for one of `hosts` are served (empty: any): a page elsewhere whose name was made to
    point here (DNS rebinding) is then as much a stranger as any other.
    """

    hosts: frozenset[str] = LOOPBACK_NAMES


@dataclass(frozen=True)
class ByPassword:
    """One password for operators and, if wished, another for viewers; people tell their name."""

    operator: PasswordHash
    viewer: PasswordHash | None
    granted_on: str


@dataclass(frozen=True)
class ByProxy:
    """A reverse proxy that has checked who it is says so in headers."""

    networks: tuple[IPv4Network | IPv6Network, ...]
    user_header: str
    groups_header: str
    grants: Grants


@dataclass(frozen=True)
class ByProvider:
    """An OpenID Connect provider."""

    provider: Provider
    grants: Grants
    granted_on: str


Access = NoLogin | ByPassword | ByProxy | ByProvider


def identify(request: web.Request, session: Session | None, access: Access) -> Person | None:
    """Who it is; None: nobody we let in."""
    match access:
        case NoLogin(hosts=hosts):
            name = host_name(request.host)
            return Person("console", Role.OPERATOR) if not hosts or name in hosts else None
        case ByProxy():
            return _told_by_proxy(request, access)
        case ByPassword(granted_on=granted_on) | ByProvider(granted_on=granted_on):
            known = session is not None and session.granted_on == granted_on
            return session.person if session is not None and known else None


def _told_by_proxy(request: web.Request, access: ByProxy) -> Person | None:
    if not comes_from(request, access.networks):
        return None
    names = request.headers.getall(access.user_header, [])
    if len(names) != 1 or not names[0].strip():
        return None  # two of them: the proxy let the client's own through
    groups = ",".join(request.headers.getall(access.groups_header, []))
    role = access.grants.role(group.strip() for group in groups.split(",") if group.strip())
    return Person(names[0].strip()[:200], role) if role is not None else None


def comes_from(request: web.Request, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    """True if the peer of the connection is in one of the networks."""
    try:
        address = ip_address(request.remote or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if host.count(":") == 1 else host.lower()
