"""Child processes that speak Kafka: starting one that dies with us, waiting until it answers.

Called by `streams.embedded` and by the test harness; it knows neither which program it starts nor
what a topic is.
"""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

STOP_SECONDS = 15.0

# prctl(PR_SET_PDEATHSIG): the kernel ends the child when the thread that started it ends, however
# it ends. A launcher calls it between fork and exec, because preexec_fn is unsafe (and warned
# about) once there are threads.
_LAUNCHER = """
import ctypes, os, signal, sys
prctl = getattr(ctypes.CDLL(None), "prctl", None)
if prctl is not None:
    prctl(1, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent is gone")
os.execvp(sys.argv[2], sys.argv[2:])
"""

_API_VERSIONS_REQUEST = struct.pack(">hhih5s", 18, 0, 1, 5, b"probe")


def spawn(command: Sequence[str], log: Path) -> "subprocess.Popen[bytes]":
    """Start *command* beside *log*, which gets what it prints; it dies with this thread."""
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - callers pass programs of their own choosing
            [sys.executable, "-I", "-c", _LAUNCHER, str(os.getpid()), *command],
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for us to handle, not for the child
        )


def end(process: "subprocess.Popen[bytes]", how: signal.Signals = signal.SIGTERM) -> None:
    """End a child and wait for it; does nothing when it has ended already."""
    if process.poll() is None:
        process.send_signal(how)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def answers_in_time(process: "subprocess.Popen[bytes]", port: int, seconds: float) -> bool:
    """Wait until a Kafka broker answers on *port*; False if *process* ends or the time is up."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        if answers(port):
            return True
        time.sleep(0.02)
    return False


def free_port() -> int:
    """A TCP port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int) -> bool:
    """Whether ApiVersions is answered there; an open port alone says little."""
    request = struct.pack(">i", len(_API_VERSIONS_REQUEST)) + _API_VERSIONS_REQUEST
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout=1) as connection,
    ):
        connection.sendall(request)
        return len(connection.recv(8)) == 8
    return False
