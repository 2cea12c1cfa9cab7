"""Apache Kafka itself for the tests: one or several KRaft brokers started from Maven's jars.

Owns the jar cache (`.cache/`, ignored by git) and the brokers' processes and folders. Called by
`conftest.py` and by the fault tests, which kill and restart single brokers.
"""

import base64
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from streams import child

VERSION = "4.3.1"
START_SECONDS = 90.0
_CACHE = Path(__file__).resolve().parent.parent / ".cache" / f"kafka-{VERSION}"

_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tests</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>{dependencies}</dependencies>
</project>"""
_DEPENDENCIES = (
    ("org.apache.kafka", "kafka_2.13", VERSION),
    ("org.apache.kafka", "kafka-tools", VERSION),
    ("org.slf4j", "slf4j-simple", "1.7.36"),  # Kafka brings slf4j 1.7 and no binding of it
)


def jars() -> Path:
    """The folder of Kafka's jars; fetches them with Maven the first time."""
    if (_CACHE / "complete").exists():
        return _CACHE / "libs"
    _CACHE.mkdir(parents=True, exist_ok=True)
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>"
        f"<version>{version}</version></dependency>"
        for group, name, version in _DEPENDENCIES
    )
    (_CACHE / "pom.xml").write_text(_POM.format(dependencies=dependencies))
    subprocess.run(
        ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={_CACHE / 'libs'}"],
        cwd=_CACHE,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    (_CACHE / "complete").touch()
    return _CACHE / "libs"


@dataclass
class Broker:
    """One broker, which is also a controller: its folder, ports and process."""

    number: int
    home: Path
    port: int
    controller_port: int
    internal_port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def is_running(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.poll() is None


@dataclass
class ApacheKafka:
    """Brokers numbered from 1; they die with the thread that started them."""

    size: int = 1
    heap_megabytes: int = 320
    directory: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="apache-kafka-")))
    # Where clients are sent instead of to the brokers themselves, by broker number: to proxies.
    advertised: dict[int, int] = field(default_factory=dict)
    brokers: dict[int, Broker] = field(init=False)

    def __post_init__(self) -> None:
        self.brokers = {
            n: Broker(
                n, self.directory / str(n), child.free_port(), child.free_port(), child.free_port()
            )
            for n in range(1, self.size + 1)
        }

    @property
    def bootstrap(self) -> str:
        """Hosts and ports of all brokers, to give to Kafka clients."""
        return ",".join(f"127.0.0.1:{self._told(broker)}" for broker in self.brokers.values())

    def start(self) -> Self:
        """Format the brokers' folders, start all and return once each answers."""
        # Kafka's UUIDs are base64; one that begins with "-" is taken for an option.
        cluster_id = base64.urlsafe_b64encode(b"k" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        for broker in self.brokers.values():
            broker.home.mkdir(parents=True)
            (broker.home / "server.properties").write_text(self._properties(broker))
            self._format(broker, cluster_id)
        self.restart(*self.brokers)
        return self

    def kill(self, *numbers: int) -> None:
        """End these brokers as a crash would."""
        self._end(numbers, signal.SIGKILL)

    def stop(self, *numbers: int) -> None:
        """Shut these brokers down in order: they hand over what they lead."""
        self._end(numbers, signal.SIGTERM)

    def restart(self, *numbers: int) -> None:
        """Start these brokers, ending those that run; return once each answers."""
        self.stop(*numbers)
        self.launch(*numbers)
        self.until_answering(*numbers)

    def launch(self, *numbers: int) -> None:
        """Start these brokers and return at once; they die with the calling thread."""
        for number in numbers:
            broker = self.brokers[number]
            broker.process = child.spawn(self._command(broker), broker.home / "broker.log")

    def until_answering(self, *numbers: int) -> None:
        """Return once each of these brokers answers."""
        for number in numbers:
            self._await(self.brokers[number])

    def stop_all(self) -> None:
        """End every broker at once and remove what they wrote."""
        self.kill(*self.brokers)
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop_all()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop_all()

    def _end(self, numbers: Iterable[int], how: signal.Signals) -> None:
        running = [self.brokers[n] for n in numbers if self.brokers[n].is_running]
        for broker in running:
            assert broker.process is not None
            broker.process.send_signal(how)
        for broker in running:
            assert broker.process is not None
            child.end(broker.process, how)

    def _await(self, broker: Broker) -> None:
        assert broker.process is not None
        if not child.answers_in_time(broker.process, broker.port, START_SECONDS):
            tail = (broker.home / "broker.log").read_text(errors="replace")[-3000:]
            raise RuntimeError(f"Kafka broker {broker.number} does not answer:\n{tail}")

    def _format(self, broker: Broker, cluster_id: str) -> None:
        command = [*self._java(64), "kafka.tools.StorageTool", "format", "-t", cluster_id]
        done = subprocess.run(
            [*command, "-c", str(broker.home / "server.properties")],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"formatting Kafka's storage failed:\n{done.stdout}{done.stderr}")

    def _command(self, broker: Broker) -> list[str]:
        return [
            *self._java(self.heap_megabytes),
            "kafka.Kafka",
            str(broker.home / "server.properties"),
        ]

    def _java(self, heap_megabytes: int) -> list[str]:
        options = [f"-Xmx{heap_megabytes}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        options += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        return ["java", *options, "-cp", f"{jars()}/*"]

    def _told(self, broker: Broker) -> int:
        return self.advertised.get(broker.number, broker.port)

    def _properties(self, broker: Broker) -> str:
        voters = (f"{b.number}@127.0.0.1:{b.controller_port}" for b in self.brokers.values())
        replicas, in_sync = min(3, self.size), min(2, self.size)
        settings = {
            "process.roles": "broker,controller",
            "node.id": broker.number,
            "controller.quorum.voters": ",".join(voters),
            "listeners": f"PLAINTEXT://127.0.0.1:{broker.port},"
            f"INTERNAL://127.0.0.1:{broker.internal_port},"
            f"CONTROLLER://127.0.0.1:{broker.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self._told(broker)},"
            f"INTERNAL://127.0.0.1:{broker.internal_port}",
            "inter.broker.listener.name": "INTERNAL",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,"
            "CONTROLLER:PLAINTEXT",
            "log.dirs": broker.home / "logs",
            "auto.create.topics.enable": "false",
            "default.replication.factor": replicas,
            "min.insync.replicas": in_sync,
            "offsets.topic.replication.factor": replicas,
            "offsets.topic.num.partitions": 3,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": in_sync,
            "transaction.state.log.num.partitions": 3,
            # Tests wait for these; production keeps Kafka's defaults.
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            "broker.session.timeout.ms": 3000,
            "broker.heartbeat.interval.ms": 500,
            "controller.quorum.election.timeout.ms": 500,
            "controller.quorum.fetch.timeout.ms": 1000,
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())
