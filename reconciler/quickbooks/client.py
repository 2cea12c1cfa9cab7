"""Sends requests to one QuickBooks company over HTTP; the only owner of the aiohttp client here.

The dispatcher and the loaders call `QuickBooks.send`. It waits for room within Intuit's limits,
adds the access token, and tells apart what was never sent, what was refused and what may have
been done. It repeats nothing but a call refused for its token, once: other retries are rows in
the ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace

import aiohttp
import structlog
from yarl import URL

from reconciler.errors import (
    Disconnected,
    Fenced,
    OutcomeUnknown,
    QuickBooksError,
    Reaction,
    RetryLater,
)
from reconciler.quickbooks.answers import Answer, read_answer
from reconciler.quickbooks.faults import reaction
from reconciler.quickbooks.gate import Gate
from reconciler.quickbooks.limits import Kind, Slot
from reconciler.quickbooks.protocol import Request
from reconciler.quickbooks.tokens import TokenSource

PRODUCTION = "https://quickbooks.api.intuit.com"

NOT_SENT_RETRY = timedelta(seconds=5)
READ_RETRY = timedelta(seconds=10)

_log = structlog.get_logger("reconciler.quickbooks")


@dataclass(frozen=True)
class Call:
    """One HTTP exchange, for metrics: every label is bounded.

    `outcome` is "ok" or the name of the error class; `status` is 0 when nothing was answered.
    """

    operation: str
    entity: str
    outcome: str
    status: int
    code: str
    seconds: float
    metered: bool


@dataclass(frozen=True)
class Endpoint:
    """Which company, where, and how long to wait for it.

    Intuit gives up on a request after 120 s; a shorter `timeout` only makes the outcome unknown
    sooner.
    """

    realm_id: str
    base_url: str = PRODUCTION
    timeout: timedelta = timedelta(seconds=60)
    connect_timeout: timedelta = timedelta(seconds=10)


@dataclass(frozen=True)
class Answered:
    """An HTTP response read to its end."""

    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def open_session() -> aiohttp.ClientSession:
    """A session for any number of companies. It notes when a request's bytes leave."""
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_note_written)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=15),  # `Gate` bounds the calls
        trace_configs=[trace],
        headers={"User-Agent": "hubspot-quickbooks-reconciler"},
    )


async def _note_written(
    _session: aiohttp.ClientSession,
    context: SimpleNamespace,
    _params: aiohttp.TraceRequestHeadersSentParams,
) -> None:
    if (written := context.trace_request_ctx) is not None:
        written()


class QuickBooks:
    """One company's Accounting API."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        endpoint: Endpoint,
        tokens: TokenSource,
        gate: Gate | None = None,
        observe: Callable[[Call], None] = lambda _call: None,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        self.endpoint = endpoint
        self.gate = gate or Gate()
        self._session = session
        self._tokens = tokens
        self._observe = observe
        self._may_write = may_write
        self._root = f"{endpoint.base_url.rstrip('/')}/v3/company/{endpoint.realm_id}/"
        self._timeout = aiohttp.ClientTimeout(
            total=endpoint.timeout.total_seconds(),
            sock_connect=endpoint.connect_timeout.total_seconds(),
        )

    @property
    def realm_id(self) -> str:
        """The company's id at Intuit."""
        return self.endpoint.realm_id

    async def send(self, request: Request) -> Answer:
        """Send a request and return its answer.

        Raises the QuickBooksError that says what to do next, and `Fenced` instead of a write that
        may no longer be ours to make (asked last, after the wait for room). A token that is not accepted is
        refreshed once and the same bytes are sent again.
        """
        token = await self._tokens.access_token()
        try:
            return await self._call(request, token)
        except Disconnected as error:
            if reaction(error) is not Reaction.REFRESH:
                raise
        return await self._call(request, await self._tokens.refresh(token))

    async def _call(self, request: Request, token: str) -> Answer:
        kind = Kind.of(request)
        async with self.gate.slot(kind) as slot:
            if request.writes and not self._may_write():
                raise Fenced(f"the lease of company {self.realm_id} may have run out")
            started = self.gate.clock()
            status = 0
            try:
                answered = await self._exchange(request, token, slot)
                status = answered.status
                answer = read_answer(request, status, answered.headers, answered.body)
            except QuickBooksError as error:
                self._heed(kind, error)
                self._record(request, status, started, error)
                raise
            self.gate.budget.answered(kind)
            self._record(request, status, started, answer)
            return answer

    async def _exchange(self, request: Request, token: str, slot: Slot) -> Answered:
        def written() -> None:
            slot.written_at = self.gate.clock()

        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        try:
            async with self._session.request(
                request.method,
                URL(f"{self._root}{request.path}?{request.url_query}", encoded=True),
                data=request.body,
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
                trace_request_ctx=written,
            ) as response:
                body = await response.read()
                lower = {name.lower(): value for name, value in response.headers.items()}
                return Answered(response.status, lower, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Without its cause: aiohttp's errors carry the request's headers, and so the token.
            raise _unanswered(request, slot, error) from None

    def _heed(self, kind: Kind, error: QuickBooksError) -> None:
        """Tell the budget what QuickBooks said about being called."""
        budget = self.gate.budget
        if isinstance(error, RetryLater) and (error.status == 429 or error.code == "3001"):
            seconds = error.retry_after.total_seconds()
            self.gate.throttled(kind, seconds, error.quota_exhausted)
        elif error.status:
            budget.answered(kind)

    def _record(
        self, request: Request, status: int, started: float, result: Answer | QuickBooksError
    ) -> None:
        failed = isinstance(result, QuickBooksError)
        call = Call(
            operation=request.operation.value,
            entity=request.entity,
            outcome=type(result).__name__ if failed else "ok",
            status=status,
            code=result.code if isinstance(result, QuickBooksError) else "",
            seconds=self.gate.clock() - started,
            metered=request.metered,
        )
        self._observe(call)
        log = _log.warning if failed else _log.debug
        log(
            "quickbooks_call",
            realm_id=self.realm_id,
            operation=call.operation,
            entity=call.entity,
            outcome=call.outcome,
            status=status,
            code=call.code,
            seconds=round(call.seconds, 3),
            intuit_tid=result.tid,
        )


def _unanswered(request: Request, slot: Slot, error: BaseException) -> QuickBooksError:
    """No answer: never sent, or a read that can be repeated, or a write that may be done."""
    detail = f"{type(error).__name__}: {error}"[:200]
    if slot.written_at is None:
        return RetryLater(
            message="QuickBooks could not be reached; nothing was sent",
            detail=detail,
            retry_after=NOT_SENT_RETRY,
        )
    if not request.writes:
        return RetryLater(
            message="QuickBooks did not answer", detail=detail, retry_after=READ_RETRY
        )
    return OutcomeUnknown(message="QuickBooks did not answer", detail=detail)
