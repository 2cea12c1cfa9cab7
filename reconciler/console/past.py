"""Replays and backfills from the console: the command line's own, run as children of this process.

So live work keeps its event loop, what is stopped goes on where it was, and the console and the
command line can never differ. How far each has come is in the store; here is only what runs now.
`wiring` makes it, the pages use it, `app` closes it.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from reconciler.errors import ReconcilerError

_PREVIEW_SECONDS = 120.0
_STOP_SECONDS = 10.0
_INTERRUPTED = 130
_MOST_PROBLEM = 600

Request = dict[str, Any]
"""What the store keeps of a replay: the same request goes on where it was stopped."""


class CommandFailed(ReconcilerError):
    """A command ended with an error; its text is the command's own."""


class PreviewAmount(msgspec.Struct, frozen=True):
    """Documents of one kind that would be created."""

    company: str
    action: str
    currency: str
    documents: int
    total: Decimal


class PreviewReason(msgspec.Struct, frozen=True):
    """Documents that would not be created, and why."""

    fate: str
    reason: str
    documents: int


class Preview(msgspec.Struct, frozen=True):
    """What `reconciler backfill --json` says, its single documents left out."""

    objects: int
    amounts: list[PreviewAmount]
    reasons: list[PreviewReason]


_decode = msgspec.json.Decoder(Preview).decode


@dataclass
class Past:
    """What this process runs. `command` begins every child's arguments."""

    command: Sequence[str] = (sys.executable, "-m", "reconciler.cli")
    _problems: dict[str, str] = field(default_factory=dict)
    _running: dict[str, Process] = field(default_factory=dict)
    _beginning: set[str] = field(default_factory=set)
    _watching: set[asyncio.Task[None]] = field(default_factory=set)
    _previewing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def preview(self, workflow: str, company: str) -> Preview:
        """What a backfill would create; one at a time. Raises CommandFailed."""
        request = {"workflow": workflow, "company": company}
        async with self._previewing:
            child = await self._begin(["backfill", *_options(request), "--json"])
            try:
                async with asyncio.timeout(_PREVIEW_SECONDS):
                    output, complaint = await child.communicate()
            except TimeoutError:
                child.kill()
                await child.wait()
                raise CommandFailed(
                    "The preview takes longer than two minutes: run `reconciler backfill` itself."
                ) from None
        if child.returncode != 0:
            raise CommandFailed(_last_words(complaint))
        return _decode(output)

    async def start(self, kind: str, request: Request, share: str, by: str) -> bool:
        """Begin or go on; False if the same one runs here already."""
        key = _key(kind, request)
        if key in self._running or key in self._beginning:
            return False
        self._problems.clear()
        more = ["--yes"] if kind == "backfill" else []
        options = [*_options(request), f"--share={share}", f"--by={by}", *more, "--json"]
        self._beginning.add(key)
        try:
            self._running[key] = child = await self._begin([kind, *options])
        finally:
            self._beginning.discard(key)
        task = asyncio.create_task(self._watch(key, child))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)
        return True

    async def _begin(self, arguments: Sequence[str]) -> Process:
        return await asyncio.create_subprocess_exec(
            *self.command, *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=PIPE, stderr=PIPE
        )

    async def _watch(self, key: str, child: Process) -> None:
        _, complaint = await child.communicate()
        del self._running[key]
        if child.returncode not in (0, _INTERRUPTED, -signal.SIGINT):
            self._problems[key] = _last_words(complaint)

    def problem(self, kind: str, request: Request) -> str:
        """Why it ended here before its end; empty if it did not, or another was begun since."""
        return self._problems.get(_key(kind, request), "")

    def problems_of_others(self, known: Iterable[tuple[str, Request]]) -> list[str]:
        """Why others than these ended: they were not even recorded."""
        keys = {_key(*each) for each in known}
        return [problem for key, problem in self._problems.items() if key not in keys]

    def runs(self, kind: str, request: Request) -> bool:
        """Whether this process runs it."""
        return _key(kind, request) in self._running

    def stop(self, kind: str, request: Request) -> bool:
        """Interrupt it, as Ctrl-C does; False if it does not run here."""
        child = self._running.get(_key(kind, request))
        if child is None:
            return False
        child.send_signal(signal.SIGINT)
        return True

    async def close(self) -> None:
        """Interrupt all that run, and wait a little: they go on another time."""
        for child in self._running.values():
            child.send_signal(signal.SIGINT)
        if self._watching:
            _, late = await asyncio.wait(self._watching, timeout=_STOP_SECONDS)
            for child in list(self._running.values()) if late else ():
                child.kill()


def _key(kind: str, request: Mapping[str, Any]) -> str:
    told = {name: value for name, value in request.items() if value}
    return kind + msgspec.json.encode(told, order="deterministic").decode()


def _options(request: Mapping[str, Any]) -> list[str]:
    """A stored request as the command's options; a name can't pass for an option itself."""
    options = [f"--{name}={request[name]}" for name in ("workflow", "company", "since", "until")
               if request.get(name)]  # fmt: skip
    options += [f"--object={each}" for each in request.get("objects", ())]
    return options + [f"--offsets={each}" for each in request.get("offsets", ())]


def _last_words(complaint: bytes) -> str:
    text = complaint.decode(errors="replace").strip()
    return text.rsplit("\n\n", 1)[-1][-_MOST_PROBLEM:] or "The command ended without a word."
