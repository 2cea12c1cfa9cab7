"""Where to start reading a partition, and the conditions under which that can't be decided.

Pure. Compares what was recorded about a partition with what Kafka holds of it. Called by
`consumer` on every assignment and while it runs.
"""

from dataclasses import dataclass
from enum import StrEnum

from reconciler.errors import FeedBroken
from streams.records import PartitionLog


class StartPolicy(StrEnum):
    """Where to start the partitions of a topic that was never read."""

    EARLIEST = "earliest"
    LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Claim:
    """What the caller has recorded of a partition it now owns.

    `epoch` comes back with every batch, so that a write can be refused if the partition was
    claimed by somebody else since. `next_offset` is there from the first claim on: a partition that
    stays idle starts where it did, however often it is claimed.
    """

    epoch: int
    next_offset: int
    topic_id: str | None = None


class TopicRecreated(FeedBroken):
    """A topic of the same name but another identity: its offsets are not those recorded."""

    def __init__(self, topic: str, recorded: str, found: str) -> None:
        super().__init__(
            f"topic {topic} was deleted and created again (id {recorded} was recorded,"
            f" {found} is there now). Nothing of the new topic was read. If its records are to"
            f" count, run `reconciler read-anew {topic}` and start the processes anew."
        )


class TopicGone(FeedBroken):
    """A topic that was being read does not exist any more."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"topic {topic} does not exist any more. Create it again and run `reconciler"
            f" read-anew {topic}`, or remove it from the settings."
        )


class LogLost(FeedBroken):
    """The log ends before what was recorded as read: Kafka lost records it had acknowledged."""

    def __init__(self, log: PartitionLog, recorded: int) -> None:
        super().__init__(
            f"{log.partition} ends at offset {log.end}, but records up to {recorded} were read:"
            " Kafka lost part of its log, and new records would get offsets that count as read."
            " Have the feeder send again what was lost, run `reconciler read-anew"
            f" {log.partition.topic}` and start the processes anew: what is known is not made again."
        )


class RetentionOvertook(FeedBroken):
    """Records that were never read have been deleted by retention."""

    def __init__(self, log: PartitionLog, recorded: int) -> None:
        super().__init__(
            f"{log.partition} begins at offset {log.beginning}, but records from {recorded} on"
            f" were not read yet: retention deleted {log.beginning - recorded} of them. Raise the"
            " topic's retention, have the feeder send them again, run `reconciler read-anew"
            f" {log.partition.topic}` and start the processes anew."
        )


def starting_position(log: PartitionLog, claim: Claim) -> int:
    """The offset to read first; raises a `FeedBroken` when the log isn't the one recorded."""
    check_identity(log.partition.topic, log.topic_id, claim.topic_id)
    check_range(log, claim.next_offset)
    return claim.next_offset


def check_identity(topic: str, found: str | None, recorded: str | None) -> None:
    """Raise if the topic is another one than was recorded; unknown identities are believed."""
    if recorded is not None and found is not None and recorded != found:
        raise TopicRecreated(topic, recorded, found)


def check_range(log: PartitionLog, position: int) -> None:
    """Raise if *position* is outside what Kafka holds."""
    if position > log.end:
        raise LogLost(log, position)
    if position < log.beginning:
        raise RetentionOvertook(log, position)
