"""A TCP proxy that misbehaves on command, on a thread of its own.

Stands between the service and Postgres, a Kafka broker or QuickBooks. A partitioned network is
`swallow`: connections stay open and nothing arrives. Used by the fencing tests and by chaos.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Proxy:
    """Forwards connections to one address; `mode` says how."""

    target: tuple[str, int]
    port: int = 0
    mode: str = "forward"  # forward | swallow | refuse
    delay_seconds: float = 0.0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _server: asyncio.Server = field(init=False)

    @property
    def address(self) -> str:
        """Host and port to connect to."""
        return f"127.0.0.1:{self.port}"

    # --- commands, from any thread ---

    def forward(self, delay_seconds: float = 0.0) -> None:
        """Pass everything on, each piece late by *delay_seconds*."""
        self._do(self._set("forward", delay_seconds))

    def swallow(self) -> None:
        """Keep connections open, accept new ones, pass nothing on: what a partition looks like."""
        self._do(self._set("swallow", 0.0))

    def refuse(self) -> None:
        """Reset all connections, and new ones at once."""
        self._do(self._refuse())

    def cut(self) -> None:
        """Reset all connections; new ones work."""
        self._do(self._cut())

    # --- on the loop ---

    async def _set(self, mode: str, delay_seconds: float) -> None:
        self.mode, self.delay_seconds = mode, delay_seconds
        (self._flowing.clear if mode == "swallow" else self._flowing.set)()

    async def _refuse(self) -> None:
        await self._set("refuse", 0.0)
        await self._cut()

    async def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self) -> None:
        self._flowing.set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self._server = server
        self.port = server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self.mode != "refuse":
                await self._flowing.wait()
                await self._connect(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # the other side is down, which is the service's to notice; or the test is over
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self.target)
        self._writers.add(back)
        try:
            await asyncio.wait(
                [
                    asyncio.ensure_future(self._pump(reader, back)),
                    asyncio.ensure_future(self._pump(there, writer)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            self._writers.discard(back)
            back.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65_536):
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                await self._flowing.wait()
                writer.write(piece)
                await writer.drain()

    async def _end(self) -> None:
        self._server.close()
        await self._refuse()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


@contextmanager
def proxy(host: str, port: int, at: int = 0) -> Iterator[Proxy]:
    """A running proxy to an address, on port *at* or any free one."""
    opened = Proxy((host, port), at)
    thread = threading.Thread(target=opened._loop.run_forever, name="proxy", daemon=True)
    thread.start()
    try:
        opened._do(opened._serve())
        yield opened
    finally:
        opened._do(opened._end())
        opened._loop.call_soon_threadsafe(opened._loop.stop)
        thread.join(5)
        opened._loop.close()
