"""Where reading starts, and when it must not."""

import pytest

from streams.positions import (
    Claim,
    LogLost,
    RetentionOvertook,
    TopicRecreated,
    starting_position,
)
from streams.records import Partition, PartitionLog

LOG = PartitionLog(Partition("deals", 0), "id-1", beginning=10, end=20)


@pytest.mark.parametrize(
    ("claim", "position"),
    [
        pytest.param(Claim(1, 15, "id-1"), 15, id="in the middle"),
        pytest.param(Claim(1, 10, "id-1"), 10, id="at the beginning"),
        pytest.param(Claim(1, 20, "id-1"), 20, id="everything read"),
        pytest.param(Claim(1, 15, None), 15, id="identity not recorded"),
    ],
)
def test_start(claim: Claim, position: int) -> None:
    """Reading goes on where it was recorded."""
    assert starting_position(LOG, claim) == position


@pytest.mark.parametrize(
    ("claim", "error", "text"),
    [
        (Claim(1, 15, "id-0"), TopicRecreated, "deleted and created again"),
        (Claim(1, 10, "id-0"), TopicRecreated, "deleted and created again"),
        (Claim(1, 21, "id-1"), LogLost, "ends at offset 20, but records up to 21 were read"),
        (Claim(1, 9, "id-1"), RetentionOvertook, "retention deleted 1 of them"),
    ],
)
def test_a_log_that_is_not_the_one_recorded(
    claim: Claim, error: type[Exception], text: str
) -> None:
    """Each way in which Kafka's log can differ from the recorded one has its own error."""
    with pytest.raises(error, match=text):
        starting_position(LOG, claim)


def test_a_broker_without_topic_ids_is_believed() -> None:
    """Where the broker tells no identity, only the offsets are compared."""
    log = PartitionLog(LOG.partition, None, LOG.beginning, LOG.end)
    assert starting_position(log, Claim(1, 15, "id-0")) == 15
