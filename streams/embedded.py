"""A Kafka-speaking broker as a child process: for the demo and for ordinary tests.

Owns the `noida-db` binary, of which only the Kafka service is started. Called by
`reconciler demo` and by the test harness. It keeps records in memory and forgets acknowledged
ones when it is killed, so it is never the evidence for exactly-once and never meant for load.
"""

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

START_SECONDS = 15.0
STOP_SECONDS = 10.0

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
os.execv(sys.argv[2], sys.argv[2:])
"""

_API_VERSIONS_REQUEST = struct.pack(">hhih5s", 18, 0, 1, 5, b"probe")


class BrokerStartError(RuntimeError):
    """The embedded broker could not be started; the message ends with its log."""


@dataclass
class EmbeddedBroker:
    """A running broker; it dies with the thread that started it."""

    directory: Path
    port: int
    process: "subprocess.Popen[bytes]"
    directory_is_ours: bool

    @property
    def bootstrap(self) -> str:
        """Host and port to give to Kafka clients."""
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End the broker; a directory that `start_broker` made for itself is removed."""
        _end(self.process, signal.SIGTERM)
        if self.directory_is_ours:
            shutil.rmtree(self.directory, ignore_errors=True)

    def kill(self) -> None:
        """End the broker as a crash would: what it held is lost."""
        _end(self.process, signal.SIGKILL)

    def restart(self) -> None:
        """Start again on the same port and directory, after `stop` or `kill`."""
        _end(self.process, signal.SIGTERM)
        self.process = _launch(self.directory, self.port)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start_broker(directory: Path | None = None, port: int | None = None) -> EmbeddedBroker:
    """Start a broker and return once it answers; without *directory* it works in one of its own."""
    ours = directory is None
    home = Path(tempfile.mkdtemp(prefix="kafka-")) if directory is None else directory
    home.mkdir(parents=True, exist_ok=True)
    chosen = port or _free_port()
    try:
        process = _launch(home, chosen)
    except BrokerStartError:
        if ours:
            shutil.rmtree(home, ignore_errors=True)
        raise
    return EmbeddedBroker(home, chosen, process, ours)


def _launch(home: Path, port: int) -> "subprocess.Popen[bytes]":
    command = [str(_binary()), "start", "--only", "kafka"]
    command += ["--kafka-port", str(port), "--data-dir", str(home / "data")]
    with (home / "broker.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and the wheel's binary
            [sys.executable, "-I", "-c", _LAUNCHER, str(os.getpid()), *command],
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us to handle, not for the broker
        )
    if not _answers_in_time(process, port):
        _end(process, signal.SIGKILL)
        tail = (home / "broker.log").read_text(errors="replace")[-2000:]
        raise BrokerStartError(f"the embedded broker did not answer on port {port}:\n{tail}")
    return process


def _binary() -> Path:
    package = find_spec("noida_db")
    if package is None or package.origin is None:
        raise BrokerStartError("the embedded broker is not installed: pip install noida-db")
    binary = Path(package.origin).with_name("noida-db")
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    return binary


def _answers_in_time(process: "subprocess.Popen[bytes]", port: int) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if _answers(port):
            return True
        time.sleep(0.02)
    return False


def _answers(port: int) -> bool:
    """Whether a Kafka broker answers ApiVersions there; an open port alone says little."""
    request = struct.pack(">i", len(_API_VERSIONS_REQUEST)) + _API_VERSIONS_REQUEST
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout=1) as connection,
    ):
        connection.sendall(request)
        return len(connection.recv(8)) == 8
    return False


def _end(process: "subprocess.Popen[bytes]", how: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(how)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
