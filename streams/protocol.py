"""Kafka requests that aiokafka 0.14 lacks or does more with than we want, from its own types.

Metadata version 10 tells topic ids (KIP-516); OffsetFetch version 7 refuses to answer while a
transaction on those offsets is pending (KIP-447). Called by `cluster` and `consumer`. Layouts:
https://kafka.apache.org/protocol.html (read 2026-11-24).
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from aiokafka import errors
from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

from streams.records import Partition

# aiokafka ships no types, so its classes are Any to mypy and can't be subclassed without a word.


class _Uuid(AbstractType):  # type: ignore[misc]
    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: Any) -> UUID:
        return UUID(bytes=data.read(16))


_TAGS = ("tags", TaggedFields)
_NAME = CompactString("utf-8")


class _MetadataResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32), ("host", _NAME), ("port", Int32), ("rack", _NAME), _TAGS
            ),
        ),
        ("cluster_id", _NAME),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", _NAME),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        _TAGS,
                    ),
                ),
                ("authorized_operations", Int32),
                _TAGS,
            ),
        ),
        ("cluster_authorized_operations", Int32),
        _TAGS,
    )


class _MetadataRequestStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 10
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("topic", _NAME), _TAGS)),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        _TAGS,
    )


class _MetadataRequest(Request[_MetadataRequestStruct]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: Any) -> Any:
        named: list[Any] = [(UUID(int=0), topic, {}) for topic in self._topics]
        return request_struct_class(named, False, False, False, {})


class _OffsetFetchResponse(Response):  # type: ignore[misc]
    API_KEY = 9
    API_VERSION = 7
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            CompactArray(
                ("topic", _NAME),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                        ("metadata", _NAME),
                        ("error_code", Int16),
                        _TAGS,
                    ),
                ),
                _TAGS,
            ),
        ),
        ("error_code", Int16),
        _TAGS,
    )


class _OffsetFetchRequestStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 9
    API_VERSION = 7
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _OffsetFetchResponse
    SCHEMA = Schema(
        ("group_id", _NAME),
        ("topics", CompactArray(("topic", _NAME), ("partitions", CompactArray(Int32)), _TAGS)),
        ("require_stable", Boolean),
        _TAGS,
    )


class _OffsetFetchRequest(Request[_OffsetFetchRequestStruct]):  # type: ignore[misc]
    API_KEY = 9

    def __init__(self, group_id: str, partition: Partition) -> None:
        self._group_id = group_id
        self._partition = partition

    def build(self, request_struct_class: Any) -> Any:
        topics: list[Any] = [(self._partition.topic, [self._partition.number], {})]
        return request_struct_class(self._group_id, topics, True, {})


class VersionNotSupported(Exception):
    """The broker does not know the request version that would answer the question."""


async def topic_ids(client: AIOKafkaClient, topics: list[str]) -> dict[str, str]:
    """Kafka's UUIDs of the topics that exist."""
    response = await _send(client, client.get_random_node(), _MetadataRequest(topics))
    found: dict[str, str] = {}
    for error_code, topic, topic_id, *_ in response.topics:
        error = errors.for_code(error_code)
        if error in (errors.NoError, errors.LeaderNotAvailableError):
            if topic_id.int != 0:
                found[topic] = str(topic_id)
        elif error is not errors.UnknownTopicOrPartitionError:
            raise error(topic)
    return found


async def stable_offset(client: AIOKafkaClient, group_id: str, partition: Partition) -> int | None:
    """The offset *group_id* committed, None if none; a retriable error while one is pending."""
    coordinator = await client.coordinator_lookup(CoordinationType.GROUP, group_id)
    request = _OffsetFetchRequest(group_id, partition)
    response = await _send(client, coordinator, request, group=ConnectionGroup.COORDINATION)
    answers = [answer for _topic, partitions, _tags in response.topics for answer in partitions]
    for code in (response.error_code, *(answer[4] for answer in answers)):
        if code == _UNSTABLE_OFFSET_COMMIT:
            raise errors.ConcurrentTransactions(partition)
        if code != 0:
            raise errors.for_code(code)(group_id)
    offset = max((answer[1] for answer in answers), default=-1)
    return offset if offset >= 0 else None


async def commit_as_member(consumer: Any, offsets: Mapping[Partition, int]) -> bool:
    """Commit without consequences; False if the group's coordinator did not take it.

    When its commit is refused during a rebalance, `AIOKafkaConsumer.commit` forgets that it is a
    member and joins as another, and the group waits for the one that is gone.
    """
    coordinator = consumer._coordinator
    if coordinator.coordinator_id is None or coordinator.generation < 0:
        return False
    by_topic: dict[str, list[Any]] = {}
    for partition, offset in offsets.items():
        by_topic.setdefault(partition.topic, []).append((partition.number, offset, ""))
    request = OffsetCommitRequest(
        coordinator.group_id,
        coordinator.generation,
        coordinator.member_id,
        OffsetCommitRequest.DEFAULT_RETENTION_TIME,
        list(by_topic.items()),
    )
    response = await consumer._client.send(
        coordinator.coordinator_id, request, group=ConnectionGroup.COORDINATION
    )
    return not any(code for _topic, answers in response.topics for _number, code in answers)


_UNSTABLE_OFFSET_COMMIT = 88  # not among aiokafka's error classes


async def _send(client: AIOKafkaClient, node_id: Any, request: Any, **options: Any) -> Any:
    try:
        return await client.send(node_id, request, **options)
    except (NotImplementedError, errors.IncompatibleBrokerVersion) as error:
        raise VersionNotSupported(type(request).__name__) from error
