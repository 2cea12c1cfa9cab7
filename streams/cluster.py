"""What a Kafka cluster holds: topics, their identity and partitions, where logs begin and end.

Called by `consumer` on every assignment, by replay and by the commands that set things up. It
never reads records.
"""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    KafkaError,
    NoError,
    TopicAlreadyExistsError,
    for_code,
)
from aiokafka.protocol.metadata import MetadataRequest
from tenacity import (
    AsyncRetrying,
    RetryError,
    retry_if_exception_type,
    retry_if_result,
    stop_after_delay,
    wait_fixed,
)

from reconciler.errors import ConfigurationError
from streams import protocol
from streams.connection import PATIENCE, KafkaConnection, KafkaUnavailable, open_patiently
from streams.records import Partition, PartitionLog

P = ParamSpec("P")
T = TypeVar("T")

_SETTLE_SECONDS = 15.0


def _translated(
    question: Callable[Concatenate["Cluster", P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate["Cluster", P], Coroutine[Any, Any, T]]:
    """Turn the client library's errors into ours: callers don't know the library."""

    @functools.wraps(question)
    async def ask(cluster: "Cluster", /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await question(cluster, *args, **kwargs)
        except (KafkaError, TimeoutError) as error:
            raise KafkaUnavailable(
                f"Kafka at {cluster.address} did not answer {question.__name__}: {error!r}"
            ) from error

    return ask


class Cluster:
    """A connection for questions and for creating topics. Use as an async context manager."""

    def __init__(self, connection: KafkaConnection, patience: timedelta = PATIENCE) -> None:
        self._connection = connection
        self._patience = patience
        self._clients = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await open_patiently(self._open, self._connection, self._patience)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.sleep(0)  # a client closed before its tasks ran once cancels its closer
        await self._clients.aclose()

    @property
    def address(self) -> str:
        """The address this connection was opened with."""
        return self._connection.bootstrap_servers

    @_translated
    async def topics(self) -> dict[str, int]:
        """How many partitions each topic has, Kafka's internal ones left out."""
        metadata = await self._client.fetch_all_metadata()
        names = metadata.topics(exclude_internal_topics=True)
        return {name: len(metadata.partitions_for_topic(name) or ()) for name in names}

    async def partitions(self, topics: Iterable[str]) -> list[Partition]:
        """All partitions of *topics*; a topic that does not exist is a configuration error."""
        counts = await self.topics()
        wanted = sorted(set(topics))
        if missing := [topic for topic in wanted if not counts.get(topic)]:
            raise ConfigurationError(
                f"Kafka at {self.address} has no topic"
                f" {', '.join(missing)}: create it, or correct the setting that names it."
            )
        return [Partition(topic, number) for topic in wanted for number in range(counts[topic])]

    @_translated
    async def ensure_topics(
        self,
        names: Iterable[str],
        partitions: int = 1,
        replication: int | None = None,
        configs: Mapping[str, str] | None = None,
    ) -> None:
        """Create those of *names* that don't exist and wait until every broker can be asked for all.

        Without *replication* it is 3, or as many as there are brokers. Topics that exist are left
        as they are, whatever their number of partitions.
        """
        wanted = sorted(set(names))
        existing = await self.topics()
        if missing := [name for name in wanted if name not in existing]:
            await self._create(missing, partitions, replication, configs)
        await self._until_known(wanted, missing)

    async def _create(
        self,
        names: Sequence[str],
        partitions: int,
        replication: int | None,
        configs: Mapping[str, str] | None,
    ) -> None:
        copies = replication or min(3, len(self._client.cluster.brokers()))
        new = [
            NewTopic(name, partitions, copies, topic_configs=dict(configs or {})) for name in names
        ]
        response = await self._admin.create_topics(new)
        for name, error_code, *detail in response.topic_errors:
            error = for_code(error_code)
            if error not in (NoError, TopicAlreadyExistsError):
                if error.retriable:
                    raise error(name)
                reason = next((text for text in detail if text), error.__name__)
                raise ConfigurationError(f"topic {name} could not be created: {reason}")

    @_translated
    async def topic_ids(self, topics: Iterable[str]) -> dict[str, str | None]:
        """Kafka's UUIDs (KIP-516) of the topics that exist; None where the broker has none."""
        wanted = sorted(set(topics))
        try:
            found = await protocol.topic_ids(self._client, wanted)
        except protocol.VersionNotSupported:
            found = {}
        existing = await self.topics()
        return {topic: found.get(topic) for topic in wanted if topic in existing}

    @_translated
    async def logs(self, partitions: Sequence[Partition]) -> list[PartitionLog]:
        """What Kafka holds of each of *partitions*; those whose topic is gone are left out."""
        ids = await self.topic_ids(partition.topic for partition in partitions)
        present = [partition for partition in partitions if partition.topic in ids]
        beginnings = await self.beginning_offsets(present)
        ends = await self.end_offsets(present)
        return [PartitionLog(p, ids[p.topic], beginnings[p], ends[p]) for p in present]

    @_translated
    async def beginning_offsets(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        """The offset of the oldest record kept."""
        return _ours(await self._consumer.beginning_offsets(_theirs(partitions)))

    @_translated
    async def end_offsets(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        """The offset the next record will get, as a read_committed reader sees it."""
        return _ours(await self._consumer.end_offsets(_theirs(partitions)))

    @_translated
    async def offsets_for_times(
        self, partitions: Sequence[Partition], timestamp_ms: int
    ) -> dict[Partition, int]:
        """The first offset at or after *timestamp_ms*; the end where nothing is as young."""
        wanted = dict.fromkeys(_theirs(partitions), timestamp_ms)
        found = await self._consumer.offsets_for_times(wanted)
        ends = await self.end_offsets(partitions)
        return {
            partition: answer.offset if (answer := found.get(partition)) else end
            for partition, end in ends.items()
        }

    @_translated
    async def retention(self, topics: Iterable[str]) -> dict[str, timedelta | None]:
        """How long each of *topics* keeps its records; None: for ever, or the broker does not say."""
        wanted = sorted(set(topics))
        found: dict[str, timedelta | None] = dict.fromkeys(wanted)
        resources = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in wanted]
        try:
            responses = await self._admin.describe_configs(resources) if resources else []
        except IncompatibleBrokerVersion:
            return found
        for response in responses:
            for _code, _message, _kind, topic, entries in response.resources:
                values = {entry[0]: entry[1] for entry in entries}
                milliseconds = int(values.get("retention.ms") or -1)
                if milliseconds >= 0:
                    found[topic] = timedelta(milliseconds=milliseconds)
        return found

    @_translated
    async def committed_offset(self, group_id: str, partition: Partition) -> int | None:
        """What *group_id* committed in Kafka, once no transaction on it is pending."""
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(KafkaError),
            wait=wait_fixed(0.05),
            stop=stop_after_delay(_SETTLE_SECONDS),
            reraise=True,
        )
        return await retrying(self._committed_offset, group_id, partition)

    async def _committed_offset(self, group_id: str, partition: Partition) -> int | None:
        try:
            return await protocol.stable_offset(self._client, group_id, partition)
        except protocol.VersionNotSupported:
            key = TopicPartition(*partition)
            answer = await self._admin.list_consumer_group_offsets(group_id, partitions=[key])
            offset: int = answer[key].offset if key in answer else -1
            return offset if offset >= 0 else None

    async def _open(self) -> None:
        arguments = self._connection.arguments()
        async with AsyncExitStack() as clients:
            self._client = AIOKafkaClient(**arguments)
            clients.push_async_callback(self._client.close)
            await self._client.bootstrap()
            self._admin = AIOKafkaAdminClient(**arguments)
            clients.push_async_callback(self._admin.close)
            await self._admin.start()
            self._consumer = AIOKafkaConsumer(isolation_level="read_committed", **arguments)
            clients.push_async_callback(self._consumer.stop)
            await self._consumer.start()
            self._clients = clients.pop_all()

    async def _until_known(self, topics: Sequence[str], new: Sequence[str]) -> None:
        retrying = AsyncRetrying(
            retry=retry_if_result(lambda known: not known),
            wait=wait_fixed(0.05),
            stop=stop_after_delay(_SETTLE_SECONDS),
        )
        try:
            await retrying(self._are_known, topics, new)
        except RetryError as error:
            raise KafkaUnavailable(
                f"topics {', '.join(topics)} were not known to every broker, or new ones among them"
                f" had no leaders, within {_SETTLE_SECONDS:g} s; are enough brokers running?"
            ) from error

    async def _are_known(self, topics: Sequence[str], new: Sequence[str]) -> bool:
        """As every broker that answers sees it: brokers hear of a new topic one after the other, and
        a reader may ask any of them."""
        nodes = [broker.nodeId for broker in self._client.cluster.brokers()]
        views = [view for node in nodes if (view := await self._view_of(node)) is not None]
        return bool(views) and all(
            (partitions := view.partitions_for_topic(topic))
            and (topic not in new or partitions == view.available_partitions_for_topic(topic))
            for view in views
            for topic in topics
        )

    async def _view_of(self, node: int) -> ClusterMetadata | None:
        """What one broker knows; None from one that is down, as it catches up before it answers."""
        try:
            answer = await self._client.send(node, MetadataRequest(None))
        except KafkaError:
            return None
        view = ClusterMetadata()
        view.update_metadata(answer)
        return view


def _theirs(partitions: Iterable[Partition]) -> list[Any]:
    return [TopicPartition(*partition) for partition in partitions]


def _ours(offsets: Mapping[Any, int]) -> dict[Partition, int]:
    return {Partition(key.topic, key.partition): offset for key, offset in offsets.items()}
