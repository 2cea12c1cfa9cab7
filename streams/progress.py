"""Whether reading gets on: positions against ends, and how long nothing has moved.

Pure: the clock is an argument. `consumer` reports what it sees; the service asks `stalled` now and
then and ends a process that hangs, because a consumer of aiokafka can stop silently
(https://github.com/aio-libs/aiokafka/issues/1154, read 2026-11-24). Waiting for the group is no hang:
`consumer` joins anew when that lasts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from streams.records import Partition


@dataclass(frozen=True, slots=True)
class Lag:
    """How far reading is behind: records not read yet, and since when the oldest may wait."""

    records: int
    seconds: float


@dataclass(slots=True)
class _Reading:
    position: int
    end: int
    moved_at: float
    caught_up_at: float | None = None
    read_until: float | None = None


class Progress:
    """Times are seconds of one clock that the caller chooses; timestamps of records are not."""

    def __init__(self, now: float) -> None:
        self._partitions: dict[Partition, _Reading] = {}
        self._waiting_since: float | None = now
        self._polled_at = now

    @property
    def assigned(self) -> int:
        """How many partitions are held."""
        return len(self._partitions)

    @property
    def is_settled(self) -> bool:
        """Whether an assignment is held and claimed, possibly of no partitions."""
        return self._waiting_since is None

    @property
    def polled_at(self) -> float:
        """When records were last asked for."""
        return self._polled_at

    def revoked(self, now: float) -> None:
        """The group rebalances; nothing is held until `claimed`."""
        self._partitions.clear()
        if self._waiting_since is None:
            self._waiting_since = now

    def claimed(self, positions: Mapping[Partition, tuple[int, int]], now: float) -> None:
        """Partitions are held, each at a position and with an end."""
        self._partitions = {
            partition: _Reading(position, end, now, caught_up_at=now if position >= end else None)
            for partition, (position, end) in positions.items()
        }
        self._waiting_since = None

    def polled(self, now: float) -> None:
        """The caller asked for records: it is alive."""
        self._polled_at = now

    def read(self, partition: Partition, position: int, age_seconds: float, now: float) -> None:
        """Records up to *position* were handed out; the last was written *age_seconds* ago."""
        if reading := self._partitions.get(partition):
            reading.read_until = now - age_seconds
            self._move(reading, position, now)

    def observed(self, partition: Partition, position: int, end: int, now: float) -> None:
        """Where reading stands and where the log ends, asked of Kafka."""
        if reading := self._partitions.get(partition):
            reading.end = end
            self._move(reading, position, now)

    def lag(self, now: float) -> dict[Partition, Lag]:
        """How far each held partition is behind."""
        return {partition: _lag(reading, now) for partition, reading in self._partitions.items()}

    def waiting(self, now: float) -> float:
        """For how many seconds there has been no assignment."""
        return 0.0 if self._waiting_since is None else now - self._waiting_since

    def stalled(self, now: float, limit_seconds: float) -> str | None:
        """Why nothing has moved for *limit_seconds* although something should, or None."""
        if now - self._polled_at > limit_seconds:
            return f"no records were asked for in {now - self._polled_at:.0f} s"
        for partition, reading in self._partitions.items():
            if reading.end > reading.position and now - reading.moved_at > limit_seconds:
                return (
                    f"{partition} stands at offset {reading.position} for"
                    f" {now - reading.moved_at:.0f} s while its log ends at {reading.end}"
                )
        return None

    @staticmethod
    def _move(reading: _Reading, position: int, now: float) -> None:
        if position > reading.position or position >= reading.end:
            reading.moved_at = now
        reading.position = max(position, reading.position)
        if reading.position >= reading.end:
            reading.caught_up_at = now


def _lag(reading: _Reading, now: float) -> Lag:
    behind = max(0, reading.end - reading.position)
    if behind == 0:
        return Lag(0, 0.0)
    # What is unread is younger than the last record read and than the last time all was read.
    known = [at for at in (reading.read_until, reading.caught_up_at) if at is not None]
    return Lag(behind, max(0.0, now - max(known, default=reading.moved_at)))
