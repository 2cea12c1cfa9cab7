"""Writing to Kafka: plain records, and outcomes that `read_committed` readers see exactly once.

`RecordProducer` is for the webhook gateway and for dead letters; `OutcomePublisher` is for the
relay of the outbox. Neither decides what is written nor remembers it: that is the caller's table.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import chain
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    IllegalOperation,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerFenced,
)

from reconciler.errors import Fenced, RecordTooLarge
from streams.cluster import Cluster
from streams.connection import PATIENCE, KafkaConnection, KafkaUnavailable, open_patiently
from streams.records import OutgoingRecord, Partition

_CLOSE_SECONDS = 5.0
_TRANSACTION_BACKOFF_MS = 10


class RecordProducer:
    """Writes records with acks=all and without duplicates or reordering by its own retries.

    Use as an async context manager. After an error it opens a new producer by itself.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        *,
        delivery_timeout: timedelta = timedelta(seconds=30),
        max_request_bytes: int = 1024 * 1024,
        patience: timedelta = PATIENCE,
    ) -> None:
        self._connection = connection
        self._delivery_timeout = delivery_timeout.total_seconds()
        self._patience = patience
        self._options = {
            "acks": "all",
            "enable_idempotence": True,
            "max_request_size": max_request_bytes,
            **connection.arguments(),
        }
        self._producer: Any = None
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        """Return once every record is acknowledged by all in-sync replicas.

        Raises `KafkaUnavailable` when that isn't known in time: any of the records may still
        have been written, so that sending them again may double them.
        """
        producer = await self._open()
        try:
            # An idempotent producer of aiokafka retries without end; somebody waits for us.
            async with asyncio.timeout(self._delivery_timeout):
                await _send_all(producer, records)
        except MessageSizeTooLargeError as error:
            raise RecordTooLarge(str(error)) from error
        except (KafkaError, TimeoutError) as error:
            await self._give_up(producer)
            raise KafkaUnavailable(
                f"Kafka at {self._connection.bootstrap_servers} did not acknowledge"
                f" {len(records)} records within {self._delivery_timeout:g} s: {error!r}"
            ) from error

    async def _open(self) -> Any:
        async with self._opening:
            if self._producer is None:
                self._producer = await open_patiently(
                    _opener(self._options), self._connection, self._patience
                )
            return self._producer

    async def _give_up(self, producer: Any) -> None:
        if self._producer is producer:  # a concurrent send may have given up on it already
            self._producer = None
            await _abandon(producer)


class OutcomePublisher:
    """Publishes outcomes in order, each once for `read_committed` readers, through any crash.

    One Kafka transaction holds the records and, as the offset of a consumer group that nobody
    joins, the sequence number of the last of them. Entering fences every earlier publisher of the
    same *transactional_id* and ends its open transaction; `last_published` then says, for certain,
    how far publishing got, also when the process died between the commit and its own note of it.
    Use as an async context manager; after any error enter a new one.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str,
        transactional_id: str,
        *,
        timeout: timedelta = timedelta(seconds=30),
        patience: timedelta = PATIENCE,
        before_commit: Callable[[], None] = lambda: None,
    ) -> None:
        self._before_commit = before_commit
        self._connection = connection
        self._topic = topic
        self._transactional_id = transactional_id
        self._timeout = timeout
        self._patience = patience
        self._producer: Any = None

    async def __aenter__(self) -> Self:
        # Kafka ends a transaction that takes longer than we would wait for it anyway.
        options = {
            "transactional_id": self._transactional_id,
            "transaction_timeout_ms": round(self._timeout.total_seconds() * 1000),
            "acks": "all",
            # Kafka answers "try again" until the transaction before is written out, which is soon.
            "retry_backoff_ms": _TRANSACTION_BACKOFF_MS,
            **self._connection.arguments(),
        }
        self._producer = await open_patiently(_opener(options), self._connection, self._patience)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)

    async def last_published(self) -> int | None:
        """The sequence given to the last `publish` that took effect, by whichever process.

        None if there was none, or none for as long as Kafka keeps offsets of groups without
        members (`offsets.retention.minutes`, 7 days unless configured); then only the caller's
        own notes say.
        """
        async with Cluster(self._connection, self._patience) as cluster:
            partition = Partition(self._topic, 0)
            return await cluster.committed_offset(self._transactional_id, partition)

    async def publish(self, records: Sequence[OutgoingRecord], sequence: int) -> None:
        """Publish *records* and note *sequence*, both or neither.

        Raises `Fenced` if another publisher took over (or Kafka gave up on a transaction that
        took too long): nothing was published. Raises `KafkaUnavailable` if it isn't known whether
        it took effect: enter a new publisher and ask `last_published`.
        """
        producer, self._producer = self._producer, None
        if producer is None:
            raise KafkaUnavailable("this publisher failed before; enter a new one")
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                await self._in_transaction(producer, records, sequence)
        except (KafkaError, IllegalOperation, TimeoutError) as error:
            raise self._translated(_cause(producer, error), sequence) from error
        else:
            self._producer = producer
        finally:
            if self._producer is None:
                await _abandon(producer)

    def _translated(self, error: BaseException, sequence: int) -> Exception:
        if isinstance(error, ProducerFenced):
            return Fenced(f"another publisher took over {self._transactional_id}")
        if isinstance(error, MessageSizeTooLargeError):
            return RecordTooLarge(str(error))
        return KafkaUnavailable(
            f"whether outcomes up to {sequence} were published is not known: {error!r}"
        )

    async def _in_transaction(
        self, producer: Any, records: Sequence[OutgoingRecord], sequence: int
    ) -> None:
        await producer.begin_transaction()
        # Offsets first: https://github.com/aio-libs/aiokafka/issues/1004 (read 2026-11-24).
        await producer.send_offsets_to_transaction(
            {TopicPartition(self._topic, 0): sequence}, self._transactional_id
        )
        await _send_all(producer, records)
        self._before_commit()
        await producer.commit_transaction()


async def _send_all(producer: Any, records: Sequence[OutgoingRecord]) -> None:
    acknowledgements: list[asyncio.Future[Any]] = []
    try:
        for record in records:
            acknowledgement = await producer.send(
                record.topic,
                value=record.value,
                key=record.key,
                timestamp_ms=record.timestamp_ms,
                headers=list(record.headers.items()),
            )
            acknowledgements.append(acknowledgement)
    except BaseException:
        for acknowledgement in acknowledgements:  # nobody may wait for them: Kafka may be away
            acknowledgement.add_done_callback(_fetch)
        raise
    # All are awaited before the first error is raised, or the others' would be reported as lost.
    results = await asyncio.gather(*acknowledgements, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _fetch(acknowledgement: "asyncio.Future[Any]") -> None:
    """Look at its error, or asyncio would log it as one that nobody saw."""
    if not acknowledgement.cancelled():
        acknowledgement.exception()


def _cause(producer: Any, error: BaseException) -> BaseException:
    """The error that ended the producer's own task, of which *error* may be only a symptom.

    aiokafka answers "not in transaction" to whoever sends after another producer took over.
    """
    waiter = producer._txn_manager.wait_for_transaction_end()
    if waiter is not None and waiter.done() and not waiter.cancelled():
        waiter.exception()  # fetched, or asyncio would log it as one that nobody saw
    task = producer._sender.sender_task
    if task is None or not task.done() or task.cancelled():
        return error
    return task.exception() or error


def _opener(options: dict[str, Any]) -> Callable[[], Any]:
    async def open_producer() -> Any:
        producer = AIOKafkaProducer(**options)
        try:
            await producer.start()
        except BaseException:
            await _abandon(producer)
            raise
        return producer

    return open_producer


async def _stop(producer: Any) -> None:
    """Flush and close; without waiting for a broker that may never answer."""
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await producer.stop()
    except (KafkaError, TimeoutError):
        await _abandon(producer)


async def _abandon(producer: Any) -> None:
    """Close without delivering what is left.

    aiokafka's `stop` first waits for delivery; cut short, it leaves its sender behind, which goes
    on trying and delivers when the broker is back.
    """
    with contextlib.suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await producer._sender.close()
    _fail_all(producer._message_accumulator)
    with contextlib.suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await (producer.client.close() if producer._closed else producer.stop())


def _fail_all(accumulator: Any) -> None:
    """Tell whoever still waits; what nobody waits for is not to be logged as an error unseen."""
    waiters = [
        batch._drain_waiter
        for batch in (*chain(*accumulator._batches.values()), *accumulator._pending_batches)
    ]
    accumulator.fail_all(KafkaConnectionError("the producer was abandoned"))
    for waiter in waiters:
        if waiter.done() and not waiter.cancelled():
            waiter.exception()
