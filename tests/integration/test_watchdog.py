"""A process whose event loop hangs ends itself; one that was only stopped for a while does not."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from reconciler.running.watchdog import EXIT_STATUS

HANGS = """
import time
from reconciler.running.watchdog import Watchdog
dog = Watchdog(1)
dog.start()
print("started", flush=True)
time.sleep(60)
"""

WORKS = """
import time
from reconciler.running.watchdog import Watchdog
dog = Watchdog(2)
dog.start()
print("started", flush=True)
for _ in range(40):
    dog.beat()
    time.sleep(0.1)
"""


def started(program: str) -> subprocess.Popen[str]:
    """The program, once its watchdog runs."""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def test_a_loop_that_hangs_ends_the_process() -> None:
    """With a status of its own, for the orchestrator to see."""
    with started(HANGS) as process:
        assert process.wait(20) == EXIT_STATUS


def test_a_pause_of_the_process_is_forgiven() -> None:
    """Stopped for longer than the limit and continued: it counts its own ticks."""
    with started(WORKS) as process:
        process.send_signal(signal.SIGSTOP)
        time.sleep(4)  # the claim is about time that passes
        process.send_signal(signal.SIGCONT)
        assert process.wait(20) == 0
