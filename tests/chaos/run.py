"""One chaos run: performs a schedule while a feed flows, lets the faults stop, and judges.

Called by `tests.chaos.__main__` and by the tests of seeds that once failed. The main thread starts
and kills processes; the feed flows on a thread of its own and never waits for the service.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import asyncpg

from reconciler.demo.environment import Child
from reconciler.running.crash import POINTS, RESUMING
from streams.connection import KafkaUnavailable
from tests.chaos.schedule import QUICKBOOKS, Step, schedule
from tests.chaos.servers import Servers
from tests.faults.checker import Verdict
from tests.faults.feed import Feed, Said, Writer
from tests.faults.stage import Scene

CONVERGES_SECONDS = 300.0
SETTINGS = {
    "quickbooks_timeout_seconds": "2",
    "lease_seconds": "2",
    "session_timeout_seconds": "6",
    "postgres_timeout_seconds": "4",
    "stall_seconds": "40",
    "batch_records": "50",
    "replay_window_seconds": "20",
    "startup_wait_seconds": "20",
}


@dataclass
class Stream:
    """The feed, flowing: new objects all the time, repeated and reordered, old records again."""

    scene: Scene
    seed: int
    feed: Feed = field(default_factory=Feed)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def flow(self) -> None:
        """Produce until told to stop; what was not acknowledged is produced again."""
        rng = Random(f"stream {self.seed}")
        number = 0
        while not self._stopped.wait(rng.uniform(0.3, 1.2)):
            number += 1
            told = Writer(rng.randrange(2**32), first_id=1000 * number).some(1)
            again = rng.sample(self.feed.records, min(5, len(self.feed.records)))
            self.feed = self.feed + told
            self._insist([*told.doubled(rng), *again])

    def _insist(self, records: list[Said]) -> None:
        while True:
            try:
                return asyncio.run(self.scene.produce(self.feed, records))
            except (KafkaUnavailable, OSError):
                time.sleep(0.5)  # the broker is down for a while; HubSpot's feeder would wait, too

    def stop(self) -> None:
        """Let the record being produced be the last."""
        self._stopped.set()


@dataclass
class Chaos:
    """The acts, and what is left of them to undo."""

    scene: Scene
    servers: Servers
    rng: Random
    workers: dict[str, Child] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    _names: int = 0

    # --- workers ---

    def start_worker(self, name: str = "", *, armed: bool = False) -> None:
        """A new worker, or one again; an *armed* one will die at some named point."""
        if not name:
            self._names += 1
            name = f"worker-{self._names}"
        point = ""
        if armed and self.rng.random() < 0.5:
            point = f"{self.rng.choice((*POINTS, *RESUMING))}:{self.rng.randrange(1, 4)}"
        self.workers[name] = self.scene.start(name, ready=False, crash_point=point)

    def mind_the_dead(self, *, armed: bool) -> None:
        """Start again whoever died, as an orchestrator would."""
        for name, child in list(self.workers.items()):
            if (status := child.process.poll()) is not None:
                at_point = status == -signal.SIGKILL
                self.counts["kills" if at_point else "ends of their own"] += 1
                self.start_worker(name, armed=armed)

    # --- acts ---

    def perform(self, step: Step) -> None:
        """Do what the step says."""
        act: Callable[[Step], None] = getattr(self, "_" + step.act.replace(" ", "_"))
        act(step)

    def _kill_worker(self, step: Step) -> None:
        name = sorted(self.workers)[step.how % len(self.workers)]
        self.workers[name].kill()

    def _stop_worker(self, step: Step) -> None:
        child = self.workers[sorted(self.workers)[step.how % len(self.workers)]]
        child.process.send_signal(signal.SIGSTOP)
        self.counts["stops"] += 1
        self._undo(step, lambda: _continue(child))

    def _add_worker(self, _step: Step) -> None:
        if len(self.workers) < 5:
            self.start_worker(armed=True)
            self.counts["workers added"] += 1

    def _remove_worker(self, step: Step) -> None:
        if len(self.workers) > 2:
            child = self.workers.pop(sorted(self.workers)[step.how % len(self.workers)])
            _continue(child)
            child.process.terminate()
            self.counts["workers removed"] += 1

    def _restart_postgres(self, step: Step) -> None:
        if step.how % 2:
            self.servers.postgres.kill()
        self.servers.postgres.restart()
        self.counts["Postgres restarts"] += 1

    def _kill_broker(self, step: Step) -> None:
        kafka = self.servers.kafka
        number = 1 + step.how % kafka.size
        kafka.kill(number)
        kafka.restart(number)
        self.counts["broker restarts"] += 1

    def _kill_all_brokers(self, _step: Step) -> None:
        kafka = self.servers.kafka
        kafka.kill(*kafka.brokers)
        kafka.restart(*kafka.brokers)
        self.counts["broker restarts"] += kafka.size

    def _cut(self, step: Step) -> None:
        self._way(step).cut()
        self.counts["cut connections"] += 1

    def _swallow(self, step: Step) -> None:
        way = self._way(step)
        way.swallow()
        self.counts["partitions"] += 1
        self._undo(step, way.forward)

    def _delay(self, step: Step) -> None:
        way = self._way(step)
        way.forward(delay_seconds=0.05 + (step.how % 10) / 20)
        self.counts["delays"] += 1
        self._undo(step, way.forward)

    def _quickbooks_fault(self, step: Step) -> None:
        plan = {**QUICKBOOKS[step.how % len(QUICKBOOKS)], "seed": step.how}
        plan["realm"] = self.scene.places.realm
        planned = asyncio.run(self.scene.admin("POST", "faults", plan))
        self.counts["QuickBooks faults"] += 1
        remove = f"faults/{planned['id']}"
        self._undo(step, lambda: asyncio.run(self.scene.admin("DELETE", remove)))

    def _replay(self, _step: Step) -> None:
        asyncio.run(forget_offsets(self.servers.postgres.dsn_of("chaos")))
        self.counts["replays"] += 1

    def _way(self, step: Step):  # type: ignore[no-untyped-def]
        return self.servers.ways[sorted(self.servers.ways)[step.how % len(self.servers.ways)]]

    # --- undoing ---

    def _undo(self, step: Step, undo: Callable[[], None]) -> None:
        self.later.append((step.at + step.seconds, undo))

    def undo_due(self, at: float) -> None:
        """End what has lasted long enough."""
        due = [undo for when, undo in self.later if when <= at]
        self.later = [each for each in self.later if each[0] > at]
        for undo in due:
            undo()

    def calm_down(self) -> None:
        """Faults stop."""
        self.undo_due(float("inf"))
        for way in self.servers.ways.values():
            way.forward()


def run(chaos: Chaos, seed: int, minutes: float, workers: int) -> Verdict:
    """Perform the schedule of *seed*, wait until all is at rest, judge, replay, judge again."""
    for _ in range(workers):
        chaos.start_worker(armed=True)
    stream = Stream(chaos.scene, seed)
    flowing = threading.Thread(target=stream.flow, name="feed", daemon=True)
    flowing.start()
    started = time.monotonic()
    for step in schedule(seed, minutes * 60):
        while (at := time.monotonic() - started) < step.at:
            chaos.undo_due(at)
            chaos.mind_the_dead(armed=True)
            time.sleep(0.1)
        print(f"{at:6.1f} s  {step.act}", flush=True)
        chaos.perform(step)
    stream.stop()
    chaos.calm_down()
    flowing.join()
    verdict = converge(chaos)
    if verdict.is_clean:
        for child in chaos.workers.values():
            child.kill()
        chaos._replay(Step(0, "", 0, 0))
        before = verdict.counts
        verdict = converge(chaos)
        assert verdict.counts == before, f"the last replay changed {before} to {verdict.counts}"
    return verdict


def converge(chaos: Chaos) -> Verdict:
    """Wait until the checker has nothing left to say, or for as long as it may take."""
    deadline = time.monotonic() + CONVERGES_SECONDS
    while True:
        chaos.mind_the_dead(armed=False)
        if asyncio.run(_at_rest(chaos)) or time.monotonic() > deadline:
            return asyncio.run(chaos.scene.verdict())
        time.sleep(0.5)


async def _at_rest(chaos: Chaos) -> bool:
    from tests.faults.evidence import is_settled

    try:
        return await is_settled(chaos.scene.places)
    except asyncpg.UndefinedTableError:
        return False  # no process has lived long enough to create the tables


async def forget_offsets(dsn: str) -> None:
    """Everything is to be read again from the start; nothing happens where that can't be said now,
    because Postgres is down or has no tables yet: another replay will come."""
    with contextlib.suppress(OSError, asyncpg.PostgresError):
        connection = await asyncpg.connect(dsn, timeout=5)
        try:
            await connection.execute("UPDATE offsets SET next_offset = NULL, epoch = epoch + 1")
        finally:
            await connection.close()


def _continue(child: Child) -> None:
    if child.process.poll() is None:
        child.process.send_signal(signal.SIGCONT)
