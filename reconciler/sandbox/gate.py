"""Owns what stands before the API: bearer tokens, company status, throttling, and their answers."""

from dataclasses import replace

from reconciler.sandbox.answers import JSON, Answer, as_xml, gateway_body, gateway_xml, timed
from reconciler.sandbox.faults import Error, Fault
from reconciler.sandbox.oauth.grants import Grants
from reconciler.sandbox.realm import Realm
from reconciler.sandbox.switches import Switches
from reconciler.sandbox.world import World

THROTTLE_DETAIL = "The request limit was reached. Try again later"


def unauthenticated(
    switches: Switches, at: float, detail: str = "Token expired or malformed"
) -> Answer:
    """3200: an expired, malformed or missing token."""
    answer = _gateway("3200", "AuthenticationFailed", "AUTHENTICATION", 401, detail, at)
    return as_xml(answer) if switches.reject_status == "xml" else answer


def unauthorised(at: float) -> Answer:
    """3100: a good token, but not for this realm."""
    detail = "The application is not authorised for this company"
    name = "ApplicationAuthorizationFailed"
    return _gateway("3100", name, "AUTHORIZATION", 403, detail, at)


def _gateway(code: str, name: str, kind: str, status: int, detail: str, at: float) -> Answer:
    """The gateway's refusal, in the JSON and the XML of its own."""
    told = (code, name, kind, status, detail, at)
    return Answer(status, gateway_body(*told), code=code, xml=gateway_xml(*told))


def throttled(switches: Switches, at: float) -> Answer:
    """3001: too many requests, in the body and status the switches name."""
    status = switches.throttle_status
    retry_after = 60 if switches.retry_after_header else None
    if switches.throttle_body != "json":
        answer = _gateway("3001", "ThrottleExceeded", "SERVICE", status, THROTTLE_DETAIL, at)
        answer = replace(answer, retry_after=retry_after)
        return as_xml(answer) if switches.throttle_body == "xml" else answer
    message = f"message=ThrottleExceeded; errorCode=003001; statusCode={status}"
    fault = Fault(Error("3001", message, THROTTLE_DETAIL), kind="SERVICE", status=status)
    return Answer(status, timed({"Fault": fault.body()}, at), JSON, retry_after, "3001")


def admit(world: World, grants: Grants, realm_id: str, authorization: str) -> Answer | None:
    """The refusal of a request's token or realm; None when it may go on."""
    at = world.clock.now()
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        return unauthenticated(world.switches, at, "Bearer token is missing")
    realm = world.realms.get(realm_id)
    switches = realm.company.switches if realm else world.switches
    grant = grants.of_access_token(token)
    known = grant is not None or grants.knows(token)
    if switches.oauth_enforced or known or world.token:
        if grant is None and (known or switches.oauth_enforced or token != world.token):
            return unauthenticated(switches, at)
        if grant is not None and grant.realm != realm_id:
            return unauthorised(at)
    return None if realm else unauthorised(at)


def check_company(realm: Realm) -> None:
    """Refuse requests to a company that is lapsed, locked or under maintenance."""
    status = realm.company.switches.company_status
    if status == "expired":
        message = "Invalid Company Status"
        detail = "Subscription period has ended or canceled or there was a billing problem"
        raise Fault(Error("6190", message, f"Invalid Company Status : {detail}"))
    if status == "locked":
        raise Fault(
            Error("140", "Company locked out", "The company is locked"),
            kind="AuthorizationFault",
            status=403,
        )
    if status == "maintenance":
        raise Fault(
            Error("150", "Company under maintenance", "The company is being maintained"),
            kind="SystemFault",
            status=503,
        )
