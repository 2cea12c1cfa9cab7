"""Decoders: what a Kafka record says, as changes, in every shape HubSpot data arrives in.

Pure: bytes and a topic's settings in, `Change`s out, or `UndecodableRecord`. Start at `decoding`.
"""

from streams.formats.decoding import decode, read
from streams.formats.record import FORMATS, Reason, Record, TopicSettings

__all__ = ["FORMATS", "Reason", "Record", "TopicSettings", "decode", "read"]
