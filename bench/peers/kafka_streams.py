"""Builds and starts the Kafka Streams peer: jars by Maven and classes by javac, into `.cache`."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.world import ROOT
from tests.kafka_apache import VERSION

CACHE = ROOT / ".cache" / f"kafka-streams-{VERSION}"
SOURCE = Path(__file__).with_name("ConsumeDedupeStore.java")
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>bench</groupId><artifactId>streams</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-streams</artifactId>
      <version>{VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version></dependency>
  </dependencies>
</project>"""


def command(topic: str, count: int) -> list[str]:
    """What starts the peer; compiles it first if need be."""
    libs, classes = CACHE / "libs", CACHE / "classes"
    if not (CACHE / "complete").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        (CACHE / "pom.xml").write_text(_POM)
        subprocess.run(
            ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={libs}"],
            cwd=CACHE,
            stdin=subprocess.DEVNULL,
            check=True,
        )
        (CACHE / "complete").touch()
    built = classes / "ConsumeDedupeStore.class"
    if not built.exists() or built.stat().st_mtime < SOURCE.stat().st_mtime:
        subprocess.run(["javac", "-cp", f"{libs}/*", "-d", classes, SOURCE], check=True)
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"
    return [
        "java", "-Xmx512m", quiet, "-cp", f"{classes}:{libs}/*", "ConsumeDedupeStore",
        topic, str(count),
    ]  # fmt: skip
