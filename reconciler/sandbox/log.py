"""Owns persistence: an append-only log per realm, read again at start.

Each committed request is one JSON line: rows, removed rows, postings, and the answer its requestid
is remembered by. A line reaches the operating system before the request is answered, so a killed
process loses nothing it acknowledged; a line cut by the kill is left out.
"""

import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from reconciler.sandbox.exact import decode, encode, raw
from reconciler.sandbox.fields.entities import ENTITIES, SALES_FORMS
from reconciler.sandbox.ledger import Posting
from reconciler.sandbox.realm import Realm
from reconciler.sandbox.replay import Remembered
from reconciler.sandbox.unit import Commit
from reconciler.sandbox.world import World


class Log:
    """The logs of all realms in one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[str, int] = {}
        directory.mkdir(parents=True, exist_ok=True)

    def restore(self, world: World) -> None:
        """Fill `world` with the realms of the directory."""
        for path in sorted(self._directory.glob("*.jsonl")):
            realm_id, country, currency = path.stem.split("-")
            realm = world.empty_realm(realm_id, country, currency)
            _cut_torn_tail(path)
            for entry in _entries(path):
                _apply(realm, entry)

    def heard(self, realm: Realm, commit: Commit, key: str, answer: Remembered | None) -> None:
        """Append a commit (a listener of every realm)."""
        entry: dict[str, Any] = {
            "at": realm.company.clock.now(),
            "rows": [
                [one.entity, one.row_id, one.operation, one.at, raw(one.body)]
                for one in commit.changes
            ],
            "postings": {name: list(postings) for name, postings in commit.postings.items()},
        }
        if key and answer is not None:
            entry["replay"] = [
                key,
                answer.entity,
                answer.row_id,
                answer.at,
                answer.digest.hex(),
                answer.deleted,
                raw(answer.body),
            ]
        os.write(self._file(realm), encode(entry) + b"\n")

    def close(self) -> None:
        """Close the files."""
        for held in self._files.values():
            os.close(held)
        self._files.clear()

    def _file(self, realm: Realm) -> int:
        company = realm.company
        if company.realm not in self._files:
            name = f"{company.realm}-{company.country}-{company.currency}.jsonl"
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._files[company.realm] = os.open(self._directory / name, flags, 0o600)
        return self._files[company.realm]


def _cut_torn_tail(path: Path) -> None:
    """Take off a last line without its end."""
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        back = 0
        while back < size:
            back += 1
            file.seek(size - back)
            if file.read(1) == b"\n":
                back -= 1
                break
        file.truncate(size - back)


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for line in file:
            yield decode(line)


def _apply(realm: Realm, entry: dict[str, Any]) -> None:
    company = realm.company
    for entity, row_id, operation, at, row in entry["rows"]:
        table = company.tables[entity]
        if operation == "Delete":
            table.remove(row_id, encode(row), float(at))
        else:
            table.put(row_id, row, encode(row), float(at))
            if operation == "Create" and entity in SALES_FORMS and row.get("DocNumber"):
                company.last_numbers[entity] = company.last_numbers["forms"] = row["DocNumber"]
        if row_id.isdigit():
            sequence = ENTITIES[entity].sequence
            company.sequences[sequence] = max(company.sequences[sequence], int(row_id))
    for name, postings in entry["postings"].items():
        company.ledger.post(name, [_posting(one) for one in postings])
    if "replay" in entry:
        key, entity, row_id, at, digest, deleted, body = entry["replay"]
        realm.replays.remember(
            key,
            Remembered(
                entity, row_id, encode(body), bytes.fromhex(digest), float(at), deleted=deleted
            ),
        )


def _posting(fields: list[Any]) -> Posting:
    account, amount, party, item, quantity = fields
    return Posting(account, Decimal(amount), party, item, Decimal(quantity))
