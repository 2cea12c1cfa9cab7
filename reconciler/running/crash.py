"""Named crash points for the fault tests; a no-op unless the setting names one.

Used by `app`, which hands `crash_point` to the parts. At the chosen point, and the nth time it is
passed, the process kills itself with SIGKILL: nothing is flushed, closed or rolled back by us.
`docs/exactly-once.md` lists the points and what is durable at each.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

POINTS = (
    "intake.claimed",
    "intake.decoded",
    "intake.advanced",
    "intake.folded",
    "intake.decided",
    "intake.before_commit",
    "intake.committed",
    "company.taken",
    "company.loaded",
    "reference.before_begin",
    "reference.begun",
    "reference.answered",
    "reference.recorded",
    "dispatch.before_begin",
    "dispatch.begun",
    "dispatch.before_call",
    "dispatch.answered",
    "dispatch.recorded",
    "relay.numbered",
    "relay.sending",
    "relay.published",
    "relay.marked",
)
"""In the order in which a record passes them."""

RESUMING = ("resume.taken_up", "resume.looked")
"""Passed only where an operation was left without a result before."""


def crash_point(chosen: str) -> Callable[[str], None]:
    """What the parts call with the name of each point they pass.

    *chosen* is `name`, `name:n` for the nth time, or `name:n:stop` to be stopped there instead
    (SIGSTOP), as a process is that its machine forgets for a while; someone must continue it.
    """
    name, _, rest = chosen.partition(":")
    count, _, how = rest.partition(":")
    left = int(count or 1)

    def pass_point(point: str) -> None:
        nonlocal left
        if point == name:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGSTOP if how == "stop" else signal.SIGKILL)

    return pass_point if chosen else lambda _point: None
