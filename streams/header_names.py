"""Makes records readable whose headers have names that are not UTF-8, which aiokafka can't decode.

Called by `consumer` and `ranges` once aiokafka failed over one, as it would at that place for ever.
Kafka takes any bytes for the name of a header. In such a name the bytes beyond ASCII become "?";
everything else of the record stays as it was written. Fetching is slower from then on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from aiokafka import codec
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.util import calc_crc32c, decode_varint

# A batch of records, format 2: offset, length, leader epoch, magic, CRC, attributes, … , count.
# https://kafka.apache.org/documentation/#recordbatch (read 2026-11)
_LENGTH, _MAGIC, _CRC, _ATTRIBUTES, _COUNT, _RECORDS = 8, 16, 17, 21, 57, 61
_AFTER_LENGTH = 12
_CODEC = 0x07
_DECODERS = {
    1: codec.gzip_decode, 2: codec.snappy_decode, 3: codec.lz4_decode, 4: codec.zstd_decode,
}  # fmt: skip


def mend_header_names(consumer: Any) -> None:
    """Let *consumer*, one of aiokafka's, from now on fetch records that it can read."""
    client = consumer._client
    if getattr(client.send, "mends", False):  # what failed again was fetched before
        return
    send = client.send

    async def send_mending(node_id: Any, request: Any, **options: Any) -> Any:
        response = await send(node_id, request, **options)
        if isinstance(request, FetchRequest):
            response.topics = [
                (topic, [(*answer[:-1], readable(answer[-1])) for answer in answers])
                for topic, answers in response.topics
            ]
        return response

    send_mending.mends = True  # type: ignore[attr-defined]
    client.send = send_mending


def readable(fetched: bytes | None) -> bytes | None:
    """The same batches, with names of headers that are UTF-8; what is no whole batch stays as it is."""
    if not fetched:
        return fetched
    found, at = [], 0
    while at < len(fetched):
        end = len(fetched)
        if at + _RECORDS <= end:
            end = at + _AFTER_LENGTH + _number(">i", fetched, at + _LENGTH)
        found.append(_mended(fetched[at:end]))
        at = end
    return b"".join(found)


def _mended(batch: bytes) -> bytes:
    if len(batch) < _RECORDS or batch[_MAGIC] != 2:
        return batch  # the end of a fetch that was cut off, or from before headers
    if calc_crc32c(batch[_ATTRIBUTES:]) != _number(">I", batch, _CRC):
        return batch  # damaged, as aiokafka will say
    attributes = _number(">h", batch, _ATTRIBUTES)
    records = bytearray(batch[_RECORDS:])
    if decode := _DECODERS.get(attributes & _CODEC):
        records = bytearray(decode(batch[_RECORDS:]))
    unreadable = [name for name in _names(records, _number(">i", batch, _COUNT))
                  if not _is_utf8(records[name])]  # fmt: skip
    if not unreadable:
        return batch
    for name in unreadable:
        records[name] = bytes(byte if byte < 0x80 else ord("?") for byte in records[name])
    plain = struct.pack(">h", attributes & ~_CODEC)
    covered = plain + batch[_ATTRIBUTES + len(plain) : _RECORDS] + records
    crc = struct.pack(">I", calc_crc32c(covered))
    length = struct.pack(">i", _ATTRIBUTES + len(covered) - _AFTER_LENGTH)
    return batch[:_LENGTH] + length + batch[_AFTER_LENGTH:_CRC] + crc + covered


def _names(records: bytearray, count: int) -> Iterator[slice]:
    """Where the names of the records' headers stand."""
    at = 0
    for _ in range(count):
        length, at = decode_varint(records, at)
        end = at + length
        at += 1  # attributes
        for _ in ("timestamp", "offset"):
            _, at = decode_varint(records, at)
        for _ in ("key", "value"):
            at = _behind(records, at)
        headers, at = decode_varint(records, at)
        for _ in range(headers):
            size, at = decode_varint(records, at)
            yield slice(at, at + size)
            at = _behind(records, at + size)
        at = end


def _behind(records: bytearray, at: int) -> int:
    """The position behind nullable bytes."""
    size, at = decode_varint(records, at)
    return int(at + max(0, size))


def _is_utf8(name: bytearray) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _number(kind: str, data: bytes, at: int) -> int:
    return int(struct.unpack_from(kind, data, at)[0])
