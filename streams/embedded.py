"""A Kafka-speaking broker as a child process: for the demo and for ordinary tests.

Owns the `noida-db` binary, of which only the Kafka service is started. Called by
`reconciler demo` and by the test harness. It keeps records in memory and forgets acknowledged
ones when it is killed, so it is never the evidence for exactly-once and never meant for load.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from streams import child

START_SECONDS = 15.0


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
        child.end(self.process)
        if self.directory_is_ours:
            shutil.rmtree(self.directory, ignore_errors=True)

    def kill(self) -> None:
        """End the broker as a crash would: what it held is lost."""
        child.end(self.process, signal.SIGKILL)

    def restart(self) -> None:
        """End it if it runs, then start again on the same port and directory."""
        child.end(self.process)
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
    home = Path(tempfile.mkdtemp(prefix="kafka-")) if directory is None else directory.resolve()
    home.mkdir(parents=True, exist_ok=True)
    chosen = port or child.free_port()
    try:
        process = _launch(home, chosen)
    except BaseException:
        if ours:
            shutil.rmtree(home, ignore_errors=True)
        raise
    return EmbeddedBroker(home, chosen, process, ours)


def _launch(home: Path, port: int) -> "subprocess.Popen[bytes]":
    if child.answers(port):
        raise BrokerStartError(f"another Kafka broker answers on port {port} already")
    log = home / "broker.log"
    command = [str(_binary()), "start", "--only", "kafka"]
    command += ["--kafka-port", str(port), "--data-dir", str(home / "data")]
    process = child.spawn(command, log)
    try:
        has_started = child.answers_in_time(process, port, START_SECONDS)
    except BaseException:
        child.end(process, signal.SIGKILL)
        raise
    if not has_started:
        child.end(process, signal.SIGKILL)
        tail = log.read_text(errors="replace")[-2000:]
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
