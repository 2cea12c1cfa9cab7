"""Whether a consumer that hangs is told from one that has nothing to do."""

from streams.progress import Lag, Progress
from streams.records import Partition

DEALS = Partition("deals", 0)
LIMIT = 60.0


def test_idle_is_not_stalled() -> None:
    """A member that holds a partition read to its end may wait for ever."""
    progress = _claimed(position=5, end=5)
    progress.polled(now=1000.0)
    assert progress.stalled(1000.0, LIMIT) is None


def test_a_member_without_partitions_is_not_stalled() -> None:
    """A spare member has nothing to read and is healthy."""
    progress = Progress(0.0)
    progress.claimed({}, 0.0)
    progress.polled(1000.0)
    assert progress.stalled(1000.0, LIMIT) is None


def test_a_position_that_does_not_move_is_stalled() -> None:
    """Records are there and none is read: a hang, once it lasts."""
    progress = _claimed(position=5, end=9)
    progress.polled(61.0)
    assert progress.stalled(60.0, LIMIT) is None
    assert "offset 5" in (progress.stalled(61.0, LIMIT) or "")


def test_slow_reading_is_not_stalled() -> None:
    """Being behind is no hang as long as the position moves."""
    progress = _claimed(position=5, end=9)
    progress.read(DEALS, 6, age_seconds=0.0, now=50.0)
    progress.polled(100.0)
    assert progress.stalled(100.0, LIMIT) is None


def test_time_with_nothing_to_read_does_not_count() -> None:
    """A record that arrives after a long quiet time starts the clock, not ends it."""
    progress = _claimed(position=5, end=5)
    progress.observed(DEALS, 5, 5, now=1000.0)
    progress.observed(DEALS, 5, 6, now=1005.0)
    progress.polled(1005.0)
    assert progress.stalled(1005.0, LIMIT) is None
    progress.polled(1062.0)
    assert progress.stalled(1062.0, LIMIT) is not None


def test_an_endless_rebalance_is_no_stall() -> None:
    """How long there has been no assignment is told from the first revocation on."""
    progress = _claimed(position=5, end=5)
    assert progress.waiting(9.0) == 0.0
    progress.revoked(10.0)
    progress.revoked(60.0)
    progress.polled(71.0)
    assert progress.stalled(71.0, LIMIT) is None
    assert progress.waiting(71.0) == 61.0


def test_a_caller_that_stopped_asking_is_stalled() -> None:
    """A batch that is never finished is a hang too."""
    assert _claimed(5, 5).stalled(61.0, LIMIT) == "no records were asked for in 61 s"


def test_lag() -> None:
    """Lag counts what is unread, and no longer than since everything was read."""
    progress = _claimed(position=5, end=5)
    assert progress.lag(0.0) == {DEALS: Lag(0, 0.0)}
    progress.observed(DEALS, 5, 8, now=10.0)
    assert progress.lag(12.0) == {DEALS: Lag(3, 12.0)}
    progress.read(DEALS, 6, age_seconds=4.0, now=14.0)
    assert progress.lag(15.0) == {DEALS: Lag(2, 5.0)}
    progress.read(DEALS, 8, age_seconds=3.0, now=16.0)
    assert progress.lag(20.0) == {DEALS: Lag(0, 0.0)}


def _claimed(position: int, end: int) -> Progress:
    progress = Progress(0.0)
    progress.claimed({DEALS: (position, end)}, 0.0)
    progress.polled(0.0)
    return progress
