"""What the machine can do at best, measured in the same run: `python -m bench.raw WHAT ...`.

consume TOPIC COUNT: aiokafka alone, nothing done with the records. upsert COUNT: asyncpg, 1,000
rows a statement, insert on conflict through unnest. http COUNT: aiohttp client against an aiohttp
server in a second process.
"""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator

import aiohttp
import asyncpg
import uvloop
from aiohttp import web
from aiokafka import AIOKafkaConsumer

from bench import deals
from bench.tally import Tally
from streams.child import free_port

ROWS = 1000
CONCURRENT = 50


async def consume(topic: str, count: int) -> None:
    """Read *count* records and let them go."""
    tally = Tally(count)
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=os.environ["BENCH_KAFKA"],
        group_id=f"raw-{uuid.uuid4().hex}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_bytes=32 * 1024 * 1024,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    await consumer.start()
    try:
        while not tally.reached.is_set():
            polled = await consumer.getmany(timeout_ms=500, max_records=2000)
            if polled:
                tally.did(sum(len(records) for records in polled.values()))
    finally:
        await consumer.stop()


async def upsert(count: int) -> None:
    """Write *count* rows of a key and the feed's own documents."""
    connection = await asyncpg.connect(os.environ["BENCH_DSN"])
    await connection.execute("CREATE TABLE raw (id text PRIMARY KEY, body json NOT NULL)")
    statement = await connection.prepare(
        "INSERT INTO raw SELECT * FROM unnest($1::text[], $2::json[])"
        " ON CONFLICT (id) DO UPDATE SET body = excluded.body"
    )
    bodies = [deals.record(number).decode() for number in range(ROWS)]
    tally = Tally(count)
    tally.took()
    for first in range(0, count, ROWS):
        await statement.fetch([str(first + number) for number in range(ROWS)], bodies)
        tally.did(ROWS)
    await connection.close()


async def http(count: int) -> None:
    """POST a document and read the answer, 50 at a time."""
    port = free_port()
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.raw", "serve", str(port)
    )
    try:
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{port}/"
            await _until_answering(session, url)
            tally, body = Tally(count), deals.record(1)
            tally.took()

            async def post() -> None:
                while not tally.reached.is_set():
                    async with session.post(url, data=body) as response:
                        await response.read()
                    tally.did()

            await asyncio.gather(*(post() for _ in range(CONCURRENT)))
    finally:
        server.kill()
        await server.wait()


async def _until_answering(session: aiohttp.ClientSession, url: str) -> None:
    while True:
        try:
            async with session.post(url, data=b"{}"):
                return
        except aiohttp.ClientError:
            await asyncio.sleep(0.02)


def serve(port: int) -> None:
    """The aiohttp server: reads the body, answers as much."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=await request.read(), content_type="application/json")

    async def watch_parent(_application: web.Application) -> AsyncIterator[None]:
        """The measuring process may be killed once it is done; this one must not outlive it."""
        parent = os.getppid()

        async def end_with_parent() -> None:
            while os.getppid() == parent:
                await asyncio.sleep(0.5)
            os._exit(0)

        watching = asyncio.create_task(end_with_parent())
        yield
        watching.cancel()

    application = web.Application()
    application.cleanup_ctx.append(watch_parent)
    application.router.add_post("/", answer)
    web.run_app(application, host="127.0.0.1", port=port, print=lambda *_: None, access_log=None)


def main() -> None:
    """One measurement, named on the command line."""
    what, *arguments = sys.argv[1:]
    if what == "serve":
        uvloop.install()
        serve(int(arguments[0]))
    elif what == "consume":
        uvloop.run(consume(arguments[0], int(arguments[1])))
    elif what == "upsert":
        uvloop.run(upsert(int(arguments[0])))
    else:
        uvloop.run(http(int(arguments[0])))


if __name__ == "__main__":
    main()
