"""Where reading starts, and when it must not."""

import pytest

from streams.positions import (
    Claim,
    LogLost,
    RetentionOvertook,
    StartPolicy,
    TopicRecreated,
    starting_position,
)
from streams.records import Partition, PartitionLog

LOG = PartitionLog(Partition("deals", 0), "id-1", beginning=10, end=20)


@pytest.mark.parametrize(
    ("claim", "policy", "position"),
    [
        pytest.param(Claim(1), StartPolicy.EARLIEST, 10, id="never read, from the beginning"),
        pytest.param(Claim(1), StartPolicy.LATEST, 20, id="never read, only what comes"),
        pytest.param(Claim(1, 15, "id-1"), StartPolicy.LATEST, 15, id="recorded beats policy"),
        pytest.param(Claim(1, 10, "id-1"), StartPolicy.LATEST, 10, id="at the beginning"),
        pytest.param(Claim(1, 20, "id-1"), StartPolicy.EARLIEST, 20, id="everything read"),
        pytest.param(Claim(1, 15, None), StartPolicy.EARLIEST, 15, id="identity not recorded"),
    ],
)
def test_start(claim: Claim, policy: StartPolicy, position: int) -> None:
    """Reading goes on where it was recorded, else where the policy says."""
    assert starting_position(LOG, claim, policy) == position


@pytest.mark.parametrize(
    ("claim", "error", "text"),
    [
        (Claim(1, 15, "id-0"), TopicRecreated, "deleted and created again"),
        (Claim(1, None, "id-0"), TopicRecreated, "deleted and created again"),
        (Claim(1, 21, "id-1"), LogLost, "ends at offset 20, but records up to 21 were read"),
        (Claim(1, 9, "id-1"), RetentionOvertook, "retention deleted 1 of them"),
    ],
)
def test_a_log_that_is_not_the_one_recorded(
    claim: Claim, error: type[Exception], text: str
) -> None:
    """Each way in which Kafka's log can differ from the recorded one has its own error."""
    with pytest.raises(error, match=text):
        starting_position(LOG, claim, StartPolicy.EARLIEST)


def test_a_broker_without_topic_ids_is_believed() -> None:
    """Where the broker tells no identity, only the offsets are compared."""
    log = PartitionLog(LOG.partition, None, LOG.beginning, LOG.end)
    assert starting_position(log, Claim(1, 15, "id-0"), StartPolicy.EARLIEST) == 15
