"""Owns the configuration file: switches, companies with their preferences, webhooks.

```yaml
switches: {docnumber_unique_scope: company}
companies:
  - realm: "9341450000000001"
    country: US
    currency: USD
    preferences: {SalesFormsPrefs: {CustomTxnNumbers: true}}
    switches: {oauth_enforced: true}
webhooks:
  - {url: "http://127.0.0.1:9500/webhooks/quickbooks", verifier_token: secret}
```

JSON is read as it is; YAML needs PyYAML.
"""

from pathlib import Path
from typing import Any

import msgspec

from reconciler.sandbox.preferences import merge_preferences
from reconciler.sandbox.webhook_admin import Wanted
from reconciler.sandbox.world import World


class CompanySettings(msgspec.Struct, forbid_unknown_fields=True):
    """One company of the file."""

    realm: str
    country: str = "US"
    currency: str = "USD"
    preferences: dict[str, Any] = {}
    switches: dict[str, Any] = {}


class Configuration(msgspec.Struct, forbid_unknown_fields=True):
    """The file."""

    switches: dict[str, Any] = {}
    companies: list[CompanySettings] = []
    webhooks: list[Wanted] = []


def load(path: Path) -> Configuration:
    """Read a file; raises `msgspec.ValidationError` or `DecodeError` when it is wrong."""
    data = path.read_bytes()
    if path.suffix == ".json":
        return msgspec.json.decode(data, type=Configuration)
    return msgspec.yaml.decode(data, type=Configuration)


def configure(world: World, settings: Configuration) -> None:
    """Bring the world to the file: companies that are there keep their books."""
    world.switch(settings.switches)
    for wanted in settings.companies:
        realm = world.realms.get(wanted.realm) or world.add_realm(
            wanted.realm, wanted.country, wanted.currency
        )
        if wanted.switches:
            world.switch(wanted.switches, wanted.realm)
        if wanted.preferences:
            realm.committed(merge_preferences(realm.company, wanted.preferences))
