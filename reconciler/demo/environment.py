"""Everything the service needs, on this machine: Postgres, Kafka, a QuickBooks sandbox, itself.

Used by the demo and by the tests that run the service as a process. Each part is a child process
that ends with us; nothing outside a temporary directory is touched.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

START_SECONDS = 60.0
STOP_SECONDS = 30.0
_POLL_SECONDS = 0.05


class NotStarted(RuntimeError):
    """A child process ended or did not answer; the text holds the end of its log."""


@dataclass
class Child:
    """A process of ours with an HTTP address that tells when it is ready."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until(self, path: str, seconds: float = START_SECONDS) -> None:
        """Return once `path` answers 200; raises `NotStarted`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise NotStarted(
                    f"{self.name} ended with {self.process.returncode}:\n{self.tail()}"
                )
            if _answers(self.url + path):
                return
            time.sleep(_POLL_SECONDS)
        raise NotStarted(f"{self.name} did not answer {path} within {seconds:g} s:\n{self.tail()}")

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and wait; answers the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start_sandbox(directory: Path, companies: Sequence[str], *options: str, port: int = 0) -> Child:
    """A QuickBooks company server; *companies* as REALM:COUNTRY:CURRENCY."""
    port = port or free_port()
    arguments = ["--port", str(port), *options]
    for company in companies:
        arguments += ["--company", company]
    command = [sys.executable, "-m", "reconciler.sandbox", *arguments]
    return _answering(_start("sandbox", command, port, directory, {}))


def start_hubspot(directory: Path, *options: str) -> Child:
    """A HubSpot API server; objects come in through its admin API."""
    port = free_port()
    command = [sys.executable, "-m", "reconciler.hubspot_sandbox", "--port", str(port), *options]
    return _answering(_start("hubspot", command, port, directory, {}))


def _answering(child: Child) -> Child:
    """A sandbox once it is ready; it does not stay when that can't be awaited."""
    try:
        child.wait_until("/admin/health")
    except BaseException:
        child.stop()
        raise
    return child


def variables(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment variables of *settings*, which are without their prefix, in lower case."""
    return {f"RECONCILER_{name.upper()}": text for name, text in settings.items()}


def start_service(directory: Path, settings: Mapping[str, str], name: str = "service") -> Child:
    """The service itself; *settings* without their prefix, in lower case."""
    return start_command(directory, ["run"], settings, name)


def start_command(
    directory: Path, arguments: Sequence[str], settings: Mapping[str, str], name: str
) -> Child:
    """A command of ours that serves until it is ended, with health and metrics on a port."""
    port = free_port()
    environment = variables(settings) | {"RECONCILER_HTTP_PORT": str(port)}
    command = [sys.executable, "-m", "reconciler.cli", *arguments]
    return _start(name, command, port, directory, environment)


def _start(
    name: str, command: Sequence[str], port: int, directory: Path, environment: Mapping[str, str]
) -> Child:
    log = directory / f"{name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  our own interpreter and modules
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
            cwd=directory,
        )
    return Child(name, process, port, log)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  our own address
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


@dataclass
class Environment:
    """The parts around the service, running."""

    directory: Path
    postgres_dsn: str
    kafka: str
    sandbox: Child
    token: str
    services: list[Child] = field(default_factory=list)

    def settings(self, workflows: Path, **more: str) -> dict[str, str]:
        """Settings for a service that works here."""
        return {
            "workflows": str(workflows),
            "postgres_dsn": self.postgres_dsn,
            "kafka_bootstrap_servers": self.kafka,
            "quickbooks_base_url": self.sandbox.url,
            "quickbooks_token": self.token,
            **more,
        }

    def start_service(self, settings: Mapping[str, str], name: str = "service") -> Child:
        """Start the service and wait until it is ready."""
        child = start_service(self.directory, settings, name)
        self.services.append(child)
        child.wait_until("/readyz")
        return child


@contextmanager
def environment(directory: Path, companies: Sequence[str]) -> Iterator[Environment]:
    """Embedded Postgres, an embedded Kafka broker and a sandbox, while the block runs."""
    from store.embedded import start_postgres
    from streams.embedded import start_broker

    token = "demo"  # noqa: S105  the sandbox takes any
    with (
        start_postgres(directory / "postgres") as postgres,
        start_broker(directory / "kafka") as broker,
    ):
        sandbox = start_sandbox(directory, companies, "--no-limits")
        running = Environment(directory, postgres.dsn, broker.bootstrap, sandbox, token)
        try:
            yield running
        finally:
            for child in [*running.services, sandbox]:
                child.stop()
