"""What comes along with the facts: garbage, tombstones, and news of objects nobody asked about.

Called by `feed`. Garbage is what no reading of HubSpot's shapes can make sense of: each such record
is one dead letter. Tombstones and foreign events are not garbage: they must change nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from reconciler.demo import shapes
from reconciler.demo.scene import Draft, World
from reconciler.demo.shapes import Envelope, iso

TOPIC_KINDS = ("deal", "quote", "payment")


# --- garbage: one function per kind ---


def random_bytes(rng: Random) -> bytes:
    """Not text at all; the first byte makes sure that it is no number either."""
    return b"\x93" + rng.randbytes(rng.randrange(8, 200))


def truncated_json(rng: Random) -> bytes:
    """A snapshot cut off in the middle, as a full disk leaves it."""
    whole = _snapshot(rng)
    return whole[: rng.randrange(10, len(whole) - 10)]


def bare_value(rng: Random) -> bytes:
    """JSON, and neither an object nor an array of events."""
    return rng.choice((b"42", b'"deal 42 was won"', b"true", b"[7]", b'["deal"]', b"3.5e10"))


def stranger_object(rng: Random) -> bytes:
    """A well-formed message of another system that lost its way."""
    return rng.choice(
        (
            b'{"hello": "world"}',
            b'{"type": "charge.succeeded", "data": {"object": {"amount": 999, "currency": "usd"}}}',
            b'[{"specversion": "1.0", "type": "qbo.invoice.created.v1", "intuitentityid": "7"}]',
            b'{"level": "info", "msg": "consumer started", "ts": 1767225600}',
        )
    )


def wrong_types(rng: Random) -> bytes:
    """HubSpot's field names with values of the wrong type."""
    return rng.choice(
        (
            b'{"id": "18400000001", "properties": "dealname=Big one", "updatedAt": 5}',
            b'{"id": ["18400000001"], "properties": {}, "updatedAt": "2026-10-01T00:00:00Z"}',
            b'[{"subscriptionType": "deal.propertyChange", "objectId": {"id": 1}, "portalId": 1}]',
            b'{"subscriptionType": "deal.deletion", "objectId": 184, "occurredAt": "yesterday"}',
        )
    )


def no_id(rng: Random) -> bytes:
    """A snapshot of nobody knows what."""
    del rng
    return b'{"properties": {"dealname": "Whose?"}, "updatedAt": "2026-10-01T00:00:00.000Z"}'


def broken_utf8(rng: Random) -> bytes:
    """A snapshot whose text was cut inside a character."""
    return _snapshot(rng).replace(b"Half a deal", b"Half a d\xc3\x28al \xff")


def bottomless(rng: Random) -> bytes:
    """Brackets without end."""
    return b"[" * rng.randrange(3_000, 6_000)


GARBAGE: tuple[Callable[[Random], bytes], ...] = (
    random_bytes, truncated_json, bare_value, stranger_object, wrong_types, no_id, broken_utf8,
    bottomless,
)  # fmt: skip


def garbage(world: World, count: int) -> list[Draft]:
    """*count* records that can't be understood, every kind in turn."""
    return [_raw(world, GARBAGE[number % len(GARBAGE)](world.rng)) for number in range(count)]


# --- not garbage, and nothing to do ---


def tombstones(world: World, keys: list[Draft], count: int) -> list[Draft]:
    """Null values under keys of objects that are alive: compaction's business, not ours."""
    drafts = []
    for one in world.rng.choices(keys, k=count):
        moment = world.some_time()
        drafts.append(Draft(one.kind, one.key or b"0", None, moment, moment))
    return drafts


def foreign(world: World, count: int) -> list[Draft]:
    """Deletions and changes of deals, contacts and companies that no story tells of."""
    return [_foreign_event(world) for _ in range(count)]


def _foreign_event(world: World) -> Draft:
    kind = world.rng.choice(("deal", "contact", "company"))
    object_id, moment = world.ids.next(kind), world.some_time()
    envelope = Envelope(int(world.ids.next("event")), moment)
    body = world.rng.choice(
        (
            shapes.deletion_event(kind, object_id, envelope),
            shapes.creation_event(kind, object_id, envelope),
            shapes.property_event(kind, object_id, "hubspot_owner_id", "51234567", envelope),
        )
    )
    return Draft("deal", object_id.encode(), body, moment, moment + 900, is_event=True)


def _raw(world: World, value: bytes) -> Draft:
    moment = world.some_time()
    key = world.rng.choice((None, world.rng.randbytes(6), b"4711"))
    return Draft(world.rng.choice(TOPIC_KINDS), key, value, moment, moment)


def _snapshot(rng: Random) -> bytes:
    at = 1_790_000_000_000 + rng.randrange(10**9)
    body = {
        "id": str(18_300_000_000 + rng.randrange(10**6)),
        "properties": {"dealname": "Half a deal", "dealstage": "closedwon", "pipeline": "default"},
        "createdAt": iso(at), "updatedAt": iso(at), "archived": False,
    }  # fmt: skip
    return json.dumps(body).encode()
