"""Dead letters: showing them, and taking them in again after decoders or settings were mended.

Called by `desk`. Re-driving uses intake's own way of a record, without moving any offset; a letter
is resolved in the same transaction that takes it in, so it is never half done. Of one that can
only be understood in part that part is taken, and it stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial

import msgspec

from reconciler.errors import UndecodableRecord
from reconciler.intake.intake import Batch, Intake, Record, Transaction
from reconciler.model import Change
from reconciler.ports.operator import NewAudit, OperatorStore, StoredDeadLetter
from reconciler.ports.views import AuditEntry, DeadLetterView, Done

CHUNK = 200
_MOST_SHOWN = 200_000
_decode_headers = msgspec.msgpack.Decoder(list[tuple[str, bytes | None]]).decode

Decode = Callable[[Record], list[Change]]


@dataclass(frozen=True)
class Letter:
    """A dead letter as the record it was."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Redriver:
    """Intake, and a transaction of its that also resolves dead letters."""

    intake: Intake
    transaction: Callable[[Sequence[int], NewAudit], AbstractAsyncContextManager[Transaction]]


def letter_of(stored: StoredDeadLetter) -> Letter:
    """The record again."""
    return Letter(
        topic=stored.summary.topic,
        partition=stored.summary.partition,
        offset=stored.summary.offset,
        timestamp_ms=stored.timestamp_ms,
        key=stored.key,
        value=stored.value,
        headers=_decode_headers(stored.headers) if stored.headers else [],
    )


def view(stored: StoredDeadLetter, audit: Sequence[AuditEntry], decode: Decode) -> DeadLetterView:
    """The letter's page."""
    letter = letter_of(stored)
    value, is_text = _shown(stored.value)
    refusal = _refusal(letter, decode)
    return DeadLetterView(
        dead_letter=stored.summary,
        key=_shown(stored.key)[0],
        value=value,
        is_text=is_text,
        headers=tuple([(name, _shown(text)[0]) for name, text in letter.headers]),
        now=str(refusal) if refusal else "",
        audit=tuple(audit),
    )


def _shown(raw: bytes | None) -> tuple[str, bool]:
    if raw is None:
        return "", True
    try:
        return raw.decode()[:_MOST_SHOWN], True
    except UnicodeDecodeError:
        return raw[: _MOST_SHOWN // 3].hex(" "), False


def _refusal(letter: Letter, decode: Decode) -> UndecodableRecord | None:
    try:
        decode(letter)
    except UndecodableRecord as error:
        return error
    return None


def _readable(decode: Decode, record: Record) -> list[Change]:
    try:
        return decode(record)
    except UndecodableRecord as error:
        return list(error.changes)


async def redrive(store: OperatorStore, redriver: Redriver, ids: Sequence[int], by: str) -> Done:
    """Take in those that are understood today."""
    done = Done(changed={}, refused={})
    for start in range(0, len(ids), CHUNK):
        await _redrive_chunk(store, redriver, ids[start : start + CHUNK], by, done)
    for each in ids:
        if each not in done.changed and each not in done.refused:
            done.refused[each] = "There is no such dead letter."
    return done


async def _redrive_chunk(
    store: OperatorStore, redriver: Redriver, ids: Sequence[int], by: str, done: Done
) -> None:
    understood: dict[int, Letter] = {}
    failing: dict[int, tuple[str, str]] = {}
    in_part: list[Letter] = []
    for stored in await store.dead_letters_by_id(ids):
        number = stored.summary.dead_letter_id
        if stored.summary.resolved_at is not None:
            done.refused[number] = f"It is resolved already: {stored.summary.resolution}."
            continue
        letter = letter_of(stored)
        refusal = _refusal(letter, redriver.intake.decode)
        if refusal is None:
            understood[number] = letter
        else:
            failing[number] = (refusal.reason, refusal.detail)
            if refusal.changes:
                in_part.append(letter)
            done.refused[number] = f"It still can't be understood: {refusal}."
    if failing:
        await store.still_undecodable(failing)
    if in_part:
        intake = replace(redriver.intake, decode=partial(_readable, redriver.intake.decode))
        await intake.take(Batch(records=in_part, advances=[]))
    if understood:
        await _take(redriver, understood, by)
        done.changed.update(dict.fromkeys(understood, "re-driven"))


async def _take(redriver: Redriver, letters: dict[int, Letter], by: str) -> None:
    entry = NewAudit(actor=by, action="re-drive", target="", detail={})
    numbers = list(letters)
    intake = replace(redriver.intake, transaction=lambda: redriver.transaction(numbers, entry))
    await intake.take(Batch(records=list(letters.values()), advances=[]))


async def dismiss(store: OperatorStore, ids: Sequence[int], why: str, by: str) -> Done:
    """Resolve without taking in."""
    entry = NewAudit(actor=by, action="dismiss", target="", detail={"why": why})
    text = f"dismissed by {by}: {why}" if why else f"dismissed by {by}"
    changed = await store.dismiss_dead_letters(ids, text, entry)
    refused = dict.fromkeys(ids, "It is resolved already, or there is none.")
    return Done(
        changed=dict.fromkeys(sorted(changed), "dismissed"),
        refused={each: reason for each, reason in refused.items() if each not in changed},
    )
