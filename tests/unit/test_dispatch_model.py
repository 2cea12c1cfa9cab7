"""Two processes, one document, and QuickBooks: every interleaving Hypothesis can think of.

The model performs the dispatch protocol of `docs/exactly-once.md` step by step over the real pure
parts (`lifecycle.after`, `may_be_forgotten`, the names of operations). Between any two steps a
process may crash, be paused and woken, or lose its lease; calls land late or never; answers are
lost; QuickBooks refuses, throttles and forgets request ids.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from reconciler.errors import LookAgain, OutcomeUnknown, QuickBooksError, Refused, RetryLater
from reconciler.model import Action, DocumentKey, ObjectType
from reconciler.ports.dispatch import DueDocument
from reconciler.writing.lifecycle import (
    Block,
    NoAnswer,
    ResolveAgain,
    RetryPolicy,
    SendAgain,
    after,
    may_be_forgotten,
)
from reconciler.writing.operations import DOCUMENT, document_operation_key, request_id

KEY = DocumentKey("1", Action.INVOICE, 4711, ObjectType.DEAL, "7")
POLICY = RetryPolicy(replay_window=timedelta(minutes=10))
LASTING, ANSWER_WITHIN = timedelta(seconds=15), timedelta(seconds=30)
# What must be true of QuickBooks: it remembers longer than we trust it to, by the time that a
# decision to send may be under way.
MEMORY = POLICY.replay_window + LASTING + ANSWER_WITHIN
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class OperationRow:
    """As in the table `operations`."""

    key: str
    first_sent_at: datetime
    next_attempt_at: datetime
    state: str = "begun"
    attempts: int = 1
    error: str | None = None


@dataclass
class Ledger:
    """Postgres: one document, its operations, one lease. Its clock is the only one."""

    state: str = "wanted"
    revision: int = 1
    version: int = 1
    next_attempt_at: datetime = START
    operations: dict[str, OperationRow] = field(default_factory=dict)
    token: int = 0
    lease_until: datetime = START

    def document(self) -> DueDocument:
        """The document as a process reads it."""
        return DueDocument(
            1, KEY, "w", self.version, 1, self.revision, 0, "{}", START, None, None
        )  # fmt: skip


@dataclass
class Process:
    """What one process believes; `doing` is where it stands between two steps."""

    token: int = 0
    renewed_at: datetime = START
    doing: str = ""  # "" | prepared | begun | looking | to send | waiting | landing | answered
    operation: str = ""
    version: int = 0
    attempts: int = 1
    answer: QuickBooksError | str | None = None
    was_answered: bool = True
    landed_at: datetime = START

    def owns(self, now: datetime) -> bool:
        """What `Dispatcher.owns` asks before a write is sent."""
        return self.token > 0 and now - self.renewed_at < LASTING

    def crash(self) -> None:
        """Everything it knew is gone."""
        self.__dict__.update(Process().__dict__)


@dataclass
class Call:
    """On its way to QuickBooks."""

    operation: str
    sent_at: datetime
    sender: Process | None


class Dispatch(RuleBasedStateMachine):
    """The protocol under attack."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.ledger = Ledger()
        self.processes = [Process(), Process()]
        self.calls: list[Call] = []
        self.books: list[str] = []  # the operation that made each object
        self.remembered: dict[str, datetime] = {}

    # --- time and faults ---

    @rule(seconds=st.sampled_from([1, 5, 16, 31, 120, 700, 5000]))
    def time_passes(self, seconds: int) -> None:
        """Also for calls: one that did not land in time never will."""
        self.now += timedelta(seconds=seconds)
        self.calls = [c for c in self.calls if self.now - c.sent_at <= ANSWER_WITHIN]
        self.remembered = {r: at for r, at in self.remembered.items() if self.now - at <= MEMORY}

    @rule(who=st.integers(0, 1))
    def crash(self, who: int) -> None:
        """A process ends at whatever step it is; its calls may be on their way."""
        for call in self.calls:
            if call.sender is self.processes[who]:
                call.sender = None
        self.processes[who] = Process()

    # --- leases ---

    @rule(who=st.integers(0, 1))
    def take_or_renew(self, who: int) -> None:
        """The dispatcher's loop; taking postpones what the former owner left."""
        process, ledger = self.processes[who], self.ledger
        if process.token and process.token == ledger.token:
            ledger.lease_until = self.now + LASTING
            process.renewed_at = self.now
        elif process.token:
            self.crash(who)  # lost: the company's task is cancelled
        elif ledger.lease_until < self.now or ledger.token == 0:
            ledger.token += 1
            ledger.lease_until = self.now + LASTING
            process.token, process.renewed_at = ledger.token, self.now
            for row in ledger.operations.values():
                row.next_attempt_at = max(row.next_attempt_at, self.now + ANSWER_WITHIN)

    def fenced(self, process: Process) -> bool:
        """`store.leases.hold`, and what the process does when it raises."""
        if process.token == self.ledger.token:
            return False
        self.crash(self.processes.index(process))
        return True

    @rule(
        who=st.integers(0, 1),
        first=st.sampled_from(["done", "refused", "stale", "throttled"]),
        until=st.sampled_from(["created", "sent", "answered"]),
    )
    def goes_on_alone(self, who: int, first: str, until: str) -> None:
        """One process gets all the attention for a while: the other's calls stay on their way."""
        how = first
        for _ in range(25):
            self.take_or_renew(who)
            self.step(who, 4)
            if self.calls and self.calls[-1].sender is self.processes[who]:
                if until == "sent":
                    return
                self.land(len(self.calls) - 1, how)
                how = "done"
                if until == "answered":
                    return
            self.step(who, 1)
            if self.ledger.state == "blocked":
                self.a_person_retries()
            if self.ledger.state == "created":
                return
            self.time_passes(3)

    # --- a step of a process ---

    @rule(who=st.integers(0, 1), times=st.integers(1, 4))
    def step(self, who: int, times: int) -> None:
        """Whatever it does next, and perhaps what follows."""
        for _ in range(times):
            process = self.processes[who]
            act = {
                "": self.pick, "prepared": self.begin, "looking": self.look,
                "to send": self.send, "landing": self.look_again, "answered": self.record,
            }.get(process.doing)  # fmt: skip
            if act is not None and process.token:
                act(process)

    def pick(self, process: Process) -> None:
        """Take up what is unfinished, else prepare what is due."""
        ledger = self.ledger
        for row in ledger.operations.values():
            if row.state in ("begun", "unknown") and row.next_attempt_at <= self.now:
                if self.fenced(process):
                    return
                row.next_attempt_at = self.now + ANSWER_WITHIN
                forgotten = may_be_forgotten(row.first_sent_at, self.now, POLICY)
                process.doing = "looking" if forgotten else "to send"
                process.operation, process.attempts = row.key, row.attempts
                process.was_answered = row.state == "begun" and row.error is not None
                if row.state == "begun":
                    row.error = None
                return
        if ledger.state == "wanted" and ledger.next_attempt_at <= self.now:
            process.version = ledger.version
            process.operation = document_operation_key(ledger.document(), DOCUMENT)
            process.attempts, process.was_answered = 1, True
            process.doing = "prepared"

    def begin(self, process: Process) -> None:
        """`store.dispatch.begin`: the intent, committed."""
        if self.fenced(process):
            return
        process.doing = ""
        ledger = self.ledger
        is_due = ledger.state == "wanted" and ledger.version == process.version
        if is_due and process.operation not in ledger.operations:
            ledger.state, ledger.version = "sending", ledger.version + 1
            row = OperationRow(process.operation, self.now, self.now + ANSWER_WITHIN)
            ledger.operations[process.operation] = row
            process.doing = "to send"

    def look(self, process: Process) -> None:
        """`locate`: the books by the marker, which is the operation's."""
        if process.operation in self.books:
            process.doing, process.answer = "answered", process.operation
        else:
            process.doing = "to send"

    def look_again(self, process: Process) -> None:
        """A refused repetition counts once the attempts before it have landed or never will."""
        if self.now >= process.landed_at:
            process.doing, process.was_answered = "answered", True
            if process.operation in self.books:
                process.answer = process.operation

    def send(self, process: Process) -> None:
        """The client asks once more whether the lease may have run out, then the bytes leave."""
        if not process.owns(self.now):
            self.crash(self.processes.index(process))
            return
        self.calls.append(Call(process.operation, self.now, process))
        process.doing = "waiting"

    @rule(who=st.integers(0, 1))
    def time_out(self, who: int) -> None:
        """No answer came."""
        process = self.processes[who]
        if process.doing == "waiting":
            process.doing, process.answer = "answered", OutcomeUnknown("no answer")
            for call in self.calls:
                if call.sender is process:
                    call.sender = None

    @precondition(lambda self: self.calls)
    @rule(
        which=st.integers(0, 9),
        how=st.sampled_from(["done", "done", "answer lost", "throttled", "refused", "stale"]),
    )
    def land(self, which: int, how: str) -> None:
        """QuickBooks receives a call: in any order, whoever waits for it or not."""
        call = self.calls.pop(which % len(self.calls))
        answer = self.quickbooks(call.operation, how)
        sender = call.sender
        if how != "answer lost" and sender is not None and sender.doing == "waiting":
            sender.doing, sender.answer = "answered", answer

    def quickbooks(self, operation: str, how: str) -> QuickBooksError | str:
        """Its side of the bargain: a request id it remembers makes no second object."""
        request = request_id(KEY.realm_id, operation)
        if request in self.remembered:
            return operation
        errors = {
            "throttled": RetryLater("throttled", retry_after=timedelta(seconds=1)),
            "refused": Refused("the books are closed"),
            "stale": LookAgain("no such customer", code="2500"),
        }
        if how in errors:
            return errors[how]
        self.books.append(operation)
        self.remembered[request] = self.now
        return operation

    def record(self, process: Process) -> None:
        """`store.dispatch.record`: the result, once."""
        is_refused = isinstance(process.answer, Refused | LookAgain)
        if is_refused and not process.was_answered:
            process.doing, process.landed_at = "landing", self.now + POLICY.landing
            return
        if self.fenced(process):
            return
        process.doing = ""
        ledger, row = self.ledger, self.ledger.operations[process.operation]
        if row.state not in ("begun", "unknown"):
            return
        if isinstance(process.answer, str):
            row.state, ledger.state = "done", "created"
            return
        assert process.answer is not None
        match after(process.answer, process.attempts, self.now, POLICY):
            case SendAgain(at, text):
                row.state = "begun" if process.was_answered else "unknown"
                row.error, row.next_attempt_at, row.attempts = text, at, row.attempts + 1
            case NoAnswer(at, _):
                row.state, row.next_attempt_at = "unknown", at
                row.attempts += 1
            case Block():
                row.state, ledger.state = "refused", "blocked"
                ledger.revision, ledger.version = ledger.revision + 1, ledger.version + 1
            case ResolveAgain(at, _, _):
                row.state, ledger.state, ledger.next_attempt_at = "refused", "wanted", at
                ledger.revision, ledger.version = ledger.revision + 1, ledger.version + 1

    @precondition(lambda self: self.ledger.state == "blocked")
    @rule()
    def a_person_retries(self) -> None:
        """The cause was mended."""
        self.ledger.state, self.ledger.next_attempt_at = "wanted", self.now

    # --- what must hold ---

    @invariant()
    def never_two_objects_for_one_key(self) -> None:
        """What docs/exactly-once.md promises first."""
        assert len(self.books) <= 1, self.books

    @invariant()
    def what_is_recorded_is_in_the_books(self) -> None:
        """And nothing is called created that is not."""
        assert self.ledger.state != "created" or len(self.books) == 1

    def teardown(self) -> None:
        """Faults stop: one process that goes on without trouble comes to an end, with one object."""
        self.crash(0)
        self.crash(1)
        for _ in range(4):
            self.goes_on_alone(0, "done", "created")
        self.never_two_objects_for_one_key()
        assert self.ledger.state == "created"
        assert len(self.books) == 1


Dispatch.TestCase.settings = settings(max_examples=300, stateful_step_count=25, deadline=None)
TestDispatch = Dispatch.TestCase
