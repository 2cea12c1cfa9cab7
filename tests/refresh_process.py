"""A process that renews one company's token again and again, for tests to run beside another.

Run as `python -m tests.refresh_process DSN KEY DISCOVERY_URL REALM TIMES`; prints how many renewals
it made. Any error ends it with a traceback.
"""

import asyncio
import sys

import aiohttp

from reconciler.quickbooks.authorization import AuthorizationServer, discover
from reconciler.quickbooks.oauth import OAuthApp
from reconciler.quickbooks.sealing import Seal
from reconciler.quickbooks.stored_tokens import SealedTokens
from reconciler.quickbooks.tokens import SharedTokens
from store.tokens import TokenRows


async def renew(dsn: str, key: str, discovery: str, realm: str, times: int) -> None:
    """Refuse every token as soon as it is given."""
    async with aiohttp.ClientSession() as session:
        app = OAuthApp(
            "client-1", "secret-1", "http://localhost/", await discover(session, discovery)
        )
        store = SealedTokens(TokenRows(dsn), Seal([key]))
        shared = SharedTokens(realm, store, AuthorizationServer(session, app))
        token = await shared.access_token()
        for _ in range(times):
            token = await shared.refresh(token)
    print(times)


if __name__ == "__main__":
    asyncio.run(renew(*sys.argv[1:5], int(sys.argv[5])))
