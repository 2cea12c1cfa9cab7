"""Being a member of a consumer group: its settings, what it holds, and the library's callbacks.

Called by `consumer` alone, except for `GroupSettings` and `Owner`, which the wiring fills in.
"""

import asyncio
from collections.abc import Awaitable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from aiokafka import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from streams.positions import Claim, StartPolicy
from streams.records import Partition, PartitionLog

_LARGEST_INT32 = 2**31 - 1


class Owner(Protocol):
    """Who keeps the offsets. Claims and releases come from the client library's own task."""

    async def claim(
        self, logs: Collection[PartitionLog], starts: Mapping[Partition, int]
    ) -> Mapping[Partition, Claim]:
        """Take over partitions: first refuse writes of the previous owner, then read offsets.

        Whatever has no offset gets one now: it starts at the beginning of its log. Of a topic of
        which nothing is recorded, all partitions start where *starts* says, whoever will read them.
        """
        ...

    async def release(self, partitions: Collection[Partition]) -> None:
        """The partitions may get another owner as soon as this returns."""
        ...

    async def superseded(self, epochs: Mapping[Partition, int]) -> Collection[Partition]:
        """Those of these partitions that were claimed anew, or forgotten, since these epochs."""
        ...


@dataclass(frozen=True)
class GroupSettings:
    """How to be a member of the group. Durations are what Kafka calls by the same names."""

    group_id: str
    topics: tuple[str, ...]
    start: StartPolicy = StartPolicy.EARLIEST
    # A name that outlives the process: its restart within session_timeout moves no partition.
    group_instance_id: str | None = None
    session_timeout: timedelta = timedelta(seconds=45)
    heartbeat_interval: timedelta = timedelta(seconds=3)
    # aiokafka would take the session timeout, and whoever releases more slowly is expelled.
    rebalance_timeout: timedelta = timedelta(seconds=60)
    commit_every: timedelta = timedelta(seconds=5)
    observe_every: timedelta = timedelta(seconds=5)
    # Errors that retrying can cure are raised once they last this long.
    give_up_after: timedelta = timedelta(seconds=60)

    @property
    def longest_claim(self) -> timedelta:
        """aiokafka sends no heartbeats while it waits for a claim."""
        return self.session_timeout / 2

    @property
    def longest_join(self) -> timedelta:
        """The group waits for its living members to release, and for its dead to be given up."""
        return self.rebalance_timeout + max(self.session_timeout, self.give_up_after)

    @property
    def longest_release(self) -> timedelta:
        """Heartbeats go on meanwhile, but the group waits no longer than this."""
        return self.rebalance_timeout * 0.8

    def options(self) -> dict[str, Any]:
        """Arguments of aiokafka's consumer, each of which avoids one of its traps."""
        return {
            "group_id": self.group_id,
            "group_instance_id": self.group_instance_id,
            "partition_assignment_strategy": (RangePartitionAssignor,),
            "session_timeout_ms": _milliseconds(self.session_timeout),
            "heartbeat_interval_ms": _milliseconds(self.heartbeat_interval),
            "rebalance_timeout_ms": _milliseconds(self.rebalance_timeout),
            # Joining may take the whole rebalance; giving up before would join as yet another.
            "request_timeout_ms": _milliseconds(self.rebalance_timeout) + 10_000,
            # aiokafka's own check expels members that hold nothing and never takes them back
            # (https://github.com/aio-libs/aiokafka/issues/1187); `Progress` watches instead.
            "max_poll_interval_ms": _LARGEST_INT32,
            "metadata_max_age_ms": 60_000,
            "enable_auto_commit": False,
            # Never jump by itself: where to read is recorded, or decided in the open.
            "auto_offset_reset": "none",
            "isolation_level": "read_committed",
        }


@dataclass(slots=True)
class Held:
    """A partition that is ours, and where reading it stands."""

    claim: Claim
    log: PartitionLog
    next_offset: int


@dataclass
class Assignment:
    """What this member holds; `number` changes with every rebalance."""

    number: int = 0
    held: dict[Partition, Held] = field(default_factory=dict)
    claimed: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, held: dict[Partition, Held]) -> None:
        """Everything in *held* is claimed and may be read."""
        self.held = held
        self.claimed.set()

    def drop(self) -> tuple[Partition, ...]:
        """Nothing is held any more; returns what was."""
        was = tuple(self.held)
        self.number += 1
        self.held = {}
        self.claimed.clear()
        return was

    async def is_claimed_within(self, seconds: float) -> bool:
        """Wait for an assignment to be claimed."""
        try:
            async with asyncio.timeout(seconds):
                await self.claimed.wait()
        except TimeoutError:
            return False
        return True

    def still(self, number: int) -> bool:
        """Whether what was read under assignment *number* may be handed out."""
        return number == self.number and self.claimed.is_set()


class Member(Protocol):
    """Who takes part in rebalances."""

    async def revoke(self) -> None:
        """Everything held is being taken away."""
        ...

    async def take(self, assigned: Collection[Partition]) -> None:
        """These partitions are assigned."""
        ...

    def fail(self, error: Exception) -> None:
        """One of the two raised *error*."""
        ...


class Listener:
    """Hands rebalances to the member, with their errors, which aiokafka would log and forget."""

    def __init__(self, member: Member) -> None:
        self._member = member

    async def on_partitions_revoked(self, revoked: Collection[Any]) -> None:  # noqa: ARG002
        """Called by aiokafka before it joins the group again."""
        await self._keep_error(self._member.revoke())

    async def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        """Called by aiokafka after it joined; the fetcher has started already."""
        partitions = [Partition(key.topic, key.partition) for key in assigned]
        await self._keep_error(self._member.take(partitions))

    async def _keep_error(self, step: Awaitable[None]) -> None:
        try:
            await step
        except Exception as error:
            self._member.fail(error)


ConsumerRebalanceListener.register(Listener)


def _milliseconds(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
