"""How to reach Kafka, and what is said when it can't be reached.

Owns the settings of a connection and the retries of opening one. Called by every module here that
opens a client.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, TypeVar

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaError
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_exponential,
    wait_random,
)

from reconciler.errors import ReconcilerError

T = TypeVar("T")

PATIENCE = timedelta(seconds=60)
_PROBE_SECONDS = 5.0


class KafkaUnavailable(ReconcilerError):
    """Kafka did not answer as it should; the text says which address and what to check."""


@dataclass(frozen=True)
class KafkaConnection:
    """Where Kafka is and who we are there. `repr` leaves out what must not be logged."""

    bootstrap_servers: str
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    key_password: str | None = field(default=None, repr=False)
    client_id: str = "reconciler"

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments that every client class of aiokafka takes."""
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "client_id": self.client_id,
            "security_protocol": self.security_protocol,
            "ssl_context": self._ssl_context(),
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
        }

    def _ssl_context(self) -> ssl.SSLContext | None:
        if self.security_protocol not in ("SSL", "SASL_SSL"):
            return None
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.certificate_file is not None:
            context.load_cert_chain(self.certificate_file, self.key_file, self.key_password)
        return context


async def open_patiently(
    open_client: Callable[[], Awaitable[T]],
    connection: KafkaConnection,
    patience: timedelta = PATIENCE,
) -> T:
    """Call *open_client* until it succeeds; after *patience* say which address did not answer."""
    retrying = AsyncRetrying(
        retry=retry_if_exception_type((KafkaError, OSError)),
        wait=wait_exponential(multiplier=0.1, max=2.0) + wait_random(0.0, 0.1),
        stop=stop_after_delay(patience),
        reraise=True,
    )
    try:
        async with asyncio.timeout(patience.total_seconds()):
            return await retrying(open_client)
    except (KafkaError, OSError) as error:  # TimeoutError is an OSError
        reason = await _why_unreachable(connection) or repr(error)
        raise KafkaUnavailable(
            f"Kafka at {connection.bootstrap_servers} ({connection.security_protocol}) could not"
            f" be reached within {patience.total_seconds():g} s: {reason}. Check the address, that"
            " the broker runs and advertises an address this machine can reach, and the"
            " credentials."
        ) from error


async def _why_unreachable(connection: KafkaConnection) -> str | None:
    """What connecting to the first address says; aiokafka only logs it while bootstrapping."""
    arguments = connection.arguments()
    host, port, _ = collect_hosts(arguments.pop("bootstrap_servers"), randomize=False)[0]
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            probe = await create_conn(host, port, **arguments)
    except TimeoutError:
        return f"{host}:{port} does not answer"
    except (KafkaError, OSError) as error:
        return str(error) or type(error).__name__
    await probe.close()
    return None
