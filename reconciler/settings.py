"""The process's settings, read once from the environment (prefix RECONCILER_) by `cli`.

Parts get what they need as small values; no other module reads the environment. `reconciler
settings` prints this table with its defaults.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from pydantic import (
    AwareDatetime,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from reconciler.errors import ConfigurationError


class Settings(BaseSettings):
    """Every setting: its meaning, unit, and why it has the default it has."""

    model_config = SettingsConfigDict(
        env_prefix="RECONCILER_",
        env_file=None,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )

    workflows: Path = Path("workflows.yaml")
    """The workflow file."""

    postgres_dsn: SecretStr = SecretStr("postgresql://postgres@localhost:5432/reconciler")
    """Where the ledger is, as a postgresql:// address."""

    postgres_pool_size: int = Field(default=10, ge=2, le=200)
    """Most connections to Postgres. Each company uses one at a time to begin calls and one to record them."""

    postgres_pooler: bool = False
    """True behind PgBouncer in transaction mode: no prepared statements are then kept."""

    postgres_direct_dsn: SecretStr | None = Field(default=None, validate_default=True)
    """A direct address where postgres_dsn is a pooler's: for LISTEN, the token lock and migrations."""

    postgres_timeout_seconds: float = Field(default=30.0, gt=0)
    """How long a statement may take before its connection is given up as lost."""

    kafka_bootstrap_servers: str = "localhost:9092"
    """Comma-separated host:port of some brokers."""

    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How to speak to the brokers."""

    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    """Used with the SASL protocols."""

    kafka_username: str | None = None
    """SASL user."""

    kafka_password: SecretStr | None = None
    """SASL password."""

    kafka_ca_file: str | None = None
    """Certificate authority of the brokers; the system's when unset."""

    kafka_certificate_file: str | None = None
    """Our own certificate, where the brokers ask for one (mutual TLS)."""

    kafka_key_file: str | None = None
    """Its private key; it may stand in the certificate's file."""

    kafka_key_password: SecretStr | None = None
    """What opens the private key."""

    group_id: str = "reconciler"
    """Consumer group; another one reads the topics again from the start and creates nothing new."""

    group_instance_id: str = ""
    """A name that this process keeps over restarts, unique in the group (a pod's, say); its restart
    within the session timeout then moves no partition. Empty: each start is a new member."""

    session_timeout_seconds: float = Field(default=45.0, ge=1)
    """How long Kafka waits for a member that died before its partitions move to others."""

    start_from: Literal["earliest", "latest"] = "earliest"
    """Where to start a topic that was never read; that is noted when its partitions are claimed first.
    Partitions that it gets later are read from their beginning."""

    topic_deals: str = "crm.deals"
    """Topic of deal changes; empty to read none."""

    topic_quotes: str = "crm.quotes"
    """Topic of quote changes; empty to read none."""

    topic_payments: str = "crm.payments"
    """Topic of payment changes; empty to read none."""

    topic_contacts: str = ""
    """Optional companion topic of contact snapshots."""

    topic_line_items: str = ""
    """Optional companion topic of line item snapshots."""

    topic_companies: str = ""
    """Optional companion topic of company snapshots."""

    topic_products: str = ""
    """Optional companion topic of product snapshots."""

    topic_outcomes: str = "quickbooks.documents"
    """Where outcomes are published; created with three partitions if it does not exist."""

    topic_dead_letters: str = "crm.deadletters"
    """Where dead letters are announced."""

    create_topics: bool = True
    """Create missing topics at start (3 partitions, the broker's replication)."""

    batch_records: int = Field(default=2000, ge=1, le=50_000)
    """Most records in one transaction."""

    intake_lanes: int = Field(default=3, ge=1, le=16)
    """Transactions of intake at once, each of other partitions: one waits while another decodes."""

    quickbooks_base_url: str = "https://quickbooks.api.intuit.com"
    """Intuit's production; https://sandbox-quickbooks.api.intuit.com, or our own sandbox."""

    quickbooks_token: SecretStr | None = None
    """A fixed bearer token, for our own sandbox. Real companies are connected instead."""

    quickbooks_client_id: str = ""
    """The Intuit app's client id."""

    quickbooks_client_secret: SecretStr = SecretStr("")
    """The Intuit app's client secret."""

    quickbooks_discovery_url: str = ""
    """An OpenID discovery document to take the OAuth endpoints from; Intuit's own when empty."""

    quickbooks_redirect_uri: str = "http://localhost:8910/callback"
    """Where Intuit sends the browser after consent; registered with the app. `reconciler connect`
    listens there when it is on localhost; with --paste it need not lead anywhere."""

    quickbooks_webhook_verifier: SecretStr = SecretStr("")
    """Verifier token of the app's webhooks, for POST /quickbooks/webhooks; empty to refuse them."""

    quickbooks_sweep_seconds: float = Field(default=900.0, gt=0)
    """How often QuickBooks is asked what changed in a company: one metered read each time."""

    quickbooks_monthly_reads: int = Field(default=500_000, ge=1)
    """Metered reads that the Intuit app may make in a month, all companies together (Builder tier:
    500,000); only metrics and alerts look at it."""

    token_keys: SecretStr = SecretStr("")
    """Comma-separated keys that seal tokens at rest; the first seals, all of them unseal."""

    quickbooks_limits: bool = True
    """Keep within Intuit's limits; off only for a server of your own."""

    quickbooks_timeout_seconds: float = Field(default=30.0, gt=0, le=120)
    """How long a call may take. An unanswered operation is taken up again after it."""

    replay_window_seconds: float = Field(default=3600.0, ge=0)
    """How long Intuit is trusted to remember a request id; after it the books are searched."""

    restored_at: AwareDatetime | None = None
    """When Postgres was last restored from a backup (UTC). Documents enrolled before are looked for in
    the books before they are created, because the ledger may have forgotten that they were."""

    hubspot_client_secrets: SecretStr = SecretStr("")
    """Comma-separated client secrets of the HubSpot app that sends the webhooks; two while rotating."""

    hubspot_client_id: str = ""
    """The HubSpot app's client id; only the journal poller needs it (with the first secret)."""

    hubspot_token: SecretStr = SecretStr("")
    """Token of a HubSpot private app: for fetching missing facts and writing back. Empty: neither."""

    hubspot_base_url: str = "https://api.hubapi.com"
    """HubSpot's API, or our own sandbox of it."""

    hubspot_requests_per_10s: int = Field(default=90, ge=1, le=250)
    """Most calls of one process; HubSpot allows a private app 100 (190 from Professional on)."""

    hubspot_journal_path: str = "/webhooks-journal/journal/2026-03"
    """The webhooks journal to poll: its version, and `journal-local` for a single account's."""

    hubspot_property_prefix: str = Field(default="quickbooks_", pattern="^[a-z][a-z0-9_]*$")
    """What the properties written back start with: document_number, document_id, status, link."""

    gateway_host: str = "0.0.0.0"  # noqa: S104  HubSpot calls it from outside
    """Address of the webhook gateway."""

    gateway_port: int = Field(default=8081, ge=0, le=65535)
    """Its port; 0 for any free one."""

    gateway_public_url: str = ""
    """The target URL exactly as it stands in the HubSpot app. Needed behind a proxy: it is signed."""

    gateway_max_body_bytes: int = Field(default=8 * 1024 * 1024, ge=1024)
    """Largest delivery taken. HubSpot sends less than 100 events, a property has at most 64 KiB."""

    gateway_most_requests: int = Field(default=200, ge=1)
    """Most deliveries at once; further ones are answered 503 and come again."""

    gateway_most_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    """Most bytes of deliveries at once."""

    lease_seconds: float = Field(default=15.0, gt=0)
    """How long a company stays with a process that has died."""

    http_host: str = "127.0.0.1"
    """Address of /metrics, /healthz, /readyz and the console."""

    http_port: int = Field(default=8080, ge=0, le=65535)
    """Their port; 0 for any free one."""

    console_auth: Literal["", "off", "password", "proxy", "oidc"] = ""
    """How people log in to the console (docs/console.md). Empty: off (everyone who reaches it may
    act) where http_host is a loopback address, and no console at all elsewhere."""

    console_url: str = ""
    """Where browsers reach the service, such as https://reconciler.example.com. Needed behind a proxy
    and for oidc; cookies are marked Secure when it is https."""

    console_keys: SecretStr = SecretStr("")
    """Comma-separated keys that seal session cookies (`reconciler new-key`); processes behind one
    address need the same. Empty: made at start, so that log-ins end with the process."""

    console_session_hours: float = Field(default=12.0, gt=0, le=720)
    """How long a log-in lasts."""

    console_password_hash: SecretStr = SecretStr("")
    """With password: the operators' password as `reconciler console-password` prints it."""

    console_viewer_password_hash: SecretStr = SecretStr("")
    """With password: another one for people who may only look."""

    console_proxies: str = ""
    """With proxy: comma-separated addresses or networks whose headers are believed."""

    console_user_header: str = "X-Forwarded-User"
    """With proxy: the header with the person's name."""

    console_groups_header: str = "X-Forwarded-Groups"
    """With proxy: the header with their groups, comma-separated."""

    console_operators: str = ""
    """With proxy or oidc: comma-separated groups that may act; * is everyone who can log in."""

    console_viewers: str = ""
    """With proxy or oidc: comma-separated groups that may look; * is everyone who can log in."""

    console_oidc_issuer: str = ""
    """With oidc: the provider's issuer address; its description is found from there."""

    console_oidc_client_id: str = ""
    """With oidc: our client id at the provider."""

    console_oidc_client_secret: SecretStr = SecretStr("")
    """With oidc: our client secret; empty for a public client."""

    console_oidc_scopes: str = "openid profile email"
    """With oidc: what to ask for; some providers give groups only with a scope of their own."""

    console_oidc_groups_claim: str = "groups"
    """With oidc: the claim of the id token that holds a person's groups or roles."""

    stall_seconds: float = Field(default=120.0, gt=0)
    """A process whose partitions have records but that reads none for so long ends itself."""

    startup_wait_seconds: float = Field(default=60.0, ge=0)
    """How long to wait for Postgres and Kafka at start."""

    log_format: Literal["json", "console"] = "json"
    """Structured logs as JSON lines, or readable ones."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least important message that is written."""

    crash_point: str = ""
    """For the fault tests: kill the process at this named point (see docs/exactly-once.md)."""

    @field_validator("workflows")
    @classmethod
    def _exists(cls, path: Path) -> Path:
        if not path.is_file():
            raise ValueError(
                f"there is no file {path}; write one, or point RECONCILER_WORKFLOWS at it"
            )
        return path

    @field_validator("postgres_dsn", "postgres_direct_dsn")
    @classmethod
    def _is_an_address_of_postgres(cls, dsn: SecretStr | None) -> SecretStr | None:
        written = dsn.get_secret_value() if dsn is not None else ""
        if written and not written.startswith(("postgresql://", "postgres://")):
            raise ValueError("write postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
        return dsn

    @field_validator("postgres_direct_dsn")
    @classmethod
    def _is_given_with_a_pooler(
        cls, dsn: SecretStr | None, info: ValidationInfo
    ) -> SecretStr | None:
        if info.data.get("postgres_pooler") and not (dsn and dsn.get_secret_value()):
            raise ValueError(
                "write the address of Postgres itself: behind a pooler (RECONCILER_POSTGRES_POOLER)"
                " nothing is heard of other processes, and locks don't hold"
            )
        return dsn

    @field_validator("quickbooks_base_url", "hubspot_base_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        if not re.match(r"https?://[^/\s]+", url):
            raise ValueError(
                "write an address that begins with https:// (or http:// for a sandbox)"
            )
        return url

    @field_validator("kafka_ca_file", "kafka_certificate_file", "kafka_key_file")
    @classmethod
    def _can_be_read(cls, name: str | None) -> str | None:
        if name and not Path(name).is_file():
            raise ValueError(f"there is no file {name}; name one in PEM format")
        return name

    @property
    def direct_dsn(self) -> str:
        """Where Postgres itself is reached, past a pooler: for what needs a session."""
        return (self.postgres_direct_dsn or self.postgres_dsn).get_secret_value()

    @property
    def topics(self) -> dict[str, str]:
        """Topic by object type, of those that are read."""
        named = {
            "deal": self.topic_deals,
            "quote": self.topic_quotes,
            "payment": self.topic_payments,
            "contact": self.topic_contacts,
            "line_item": self.topic_line_items,
            "company": self.topic_companies,
            "product": self.topic_products,
        }
        return {kind: topic for kind, topic in named.items() if topic}


def read_settings() -> Settings:
    """The settings from the environment. Raises ConfigurationError naming every wrong variable."""
    try:
        settings, problems = Settings(), list(_misspelt())
    except ValidationError as error:
        problems = [
            f"RECONCILER_{'_'.join(map(str, problem['loc'])).upper()}: "
            + problem["msg"].removeprefix("Value error, ")
            for problem in error.errors(include_input=False, include_url=False)
        ]
        raise ConfigurationError("\n".join([*problems, *_misspelt()])) from None
    if problems:
        raise ConfigurationError("\n".join(problems))
    return settings


def _misspelt() -> Iterator[str]:
    """Variables that are nearly a setting. Others with the prefix may be anybody's: Kubernetes names
    a service's addresses so."""
    prefix, known = "RECONCILER_", [name.upper() for name in Settings.model_fields]
    for variable in sorted(map(str.upper, os.environ)):
        name = variable.removeprefix(prefix)
        if name == variable or name in known:
            continue
        for meant in get_close_matches(name, known, n=1, cutoff=0.85):
            yield f"{variable}: there is no such setting; write {prefix}{meant} if that is meant"
