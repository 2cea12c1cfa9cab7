"""The first schema: objects, the ledger, operations, outcomes, offsets, dead letters, companies.

Objects, documents and operations leave room in their pages, so that the new version of a row stays
beside the old one.

Revision ID: 0001
Revises:
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE installation (
        installation_id TEXT NOT NULL,
        relay_owner TEXT,
        relay_token BIGINT DEFAULT 0 NOT NULL,
        relay_until TIMESTAMP WITH TIME ZONE,
        PRIMARY KEY (installation_id)
    )
    """,
    "INSERT INTO installation VALUES (gen_random_uuid()::text)",
    """
    CREATE TABLE audit_log (
      audit_id BIGINT GENERATED ALWAYS AS IDENTITY,
      at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
      actor TEXT NOT NULL,
      action TEXT NOT NULL,
      target TEXT NOT NULL,
      detail JSON NOT NULL,
      PRIMARY KEY (audit_id)
    )
    """,
    "CREATE INDEX audit_log_target ON audit_log (target)",
    """
    CREATE TABLE replays (
      replay_id BIGINT GENERATED ALWAYS AS IDENTITY,
      kind TEXT NOT NULL,
      actor TEXT NOT NULL,
      request JSON NOT NULL,
      positions JSON NOT NULL,
      done BIGINT DEFAULT 0 NOT NULL,
      total BIGINT DEFAULT 0 NOT NULL,
      counts JSON NOT NULL,
      started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
      updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
      finished_at TIMESTAMP WITH TIME ZONE,
      PRIMARY KEY (replay_id)
    )
    """,
    """
    CREATE TABLE metered_reads (
      realm_id TEXT NOT NULL,
      month DATE NOT NULL,
      reads BIGINT NOT NULL,
      PRIMARY KEY (realm_id, month)
    )
    """,
    """
    CREATE TABLE known_records (
      topic TEXT NOT NULL,
      topic_id TEXT NOT NULL,
      partition INTEGER NOT NULL,
      reading TEXT NOT NULL,
      from_offset BIGINT NOT NULL,
      next_offset BIGINT NOT NULL,
      digests BYTEA NOT NULL,
      PRIMARY KEY (topic, topic_id, partition, reading, from_offset)
    )
    """,
    # Digests can't be compressed: do not try.
    "ALTER TABLE known_records ALTER digests SET STORAGE EXTERNAL",
    """
    CREATE TABLE ledger_counts (
      counts_id SMALLINT NOT NULL,
      counted_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
      seconds DOUBLE PRECISION NOT NULL,
      counts JSON NOT NULL,
      PRIMARY KEY (counts_id)
    )
    """,
    """
    CREATE TABLE companies (
      realm_id TEXT NOT NULL,
      name TEXT DEFAULT '' NOT NULL,
      lease_owner TEXT,
      lease_token BIGINT DEFAULT 0 NOT NULL,
      lease_until TIMESTAMP WITH TIME ZONE,
      facts JSON,
      connection TEXT DEFAULT 'connected' NOT NULL,
      connection_detail TEXT DEFAULT '' NOT NULL,
      sealed_tokens BYTEA,
      tokens_expire_at TIMESTAMP WITH TIME ZONE,
      references_loaded_at TIMESTAMP WITH TIME ZONE,
      references_changed_since TIMESTAMP WITH TIME ZONE,
      PRIMARY KEY (realm_id)
    )
    """,
    """
    CREATE TABLE dead_letters (
      dead_letter_id BIGINT GENERATED ALWAYS AS IDENTITY,
      topic TEXT NOT NULL,
      partition INTEGER NOT NULL,
      record_offset BIGINT NOT NULL,
      topic_id TEXT DEFAULT '' NOT NULL,
      record_key BYTEA,
      record_value BYTEA,
      record_timestamp BIGINT DEFAULT 0 NOT NULL,
      record_headers BYTEA,
      reason TEXT NOT NULL,
      detail TEXT NOT NULL,
      received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
      resolved_at TIMESTAMP WITH TIME ZONE,
      resolution TEXT,
      PRIMARY KEY (dead_letter_id),
      CONSTRAINT dead_letters_position UNIQUE (topic, partition, record_offset, topic_id)
    )
    """,
    """
    CREATE INDEX dead_letters_open ON dead_letters (dead_letter_id) WHERE resolved_at IS NULL
    """,
    """
    CREATE TABLE documents (
      document_id BIGINT GENERATED ALWAYS AS IDENTITY,
      realm_id TEXT NOT NULL,
      action TEXT NOT NULL,
      portal_id BIGINT NOT NULL,
      object_type TEXT NOT NULL,
      object_id TEXT NOT NULL,
      enrolment INTEGER NOT NULL,
      workflow TEXT NOT NULL,
      generation INTEGER NOT NULL,
      revision INTEGER NOT NULL,
      version INTEGER NOT NULL,
      state TEXT NOT NULL,
      reason TEXT DEFAULT '' NOT NULL,
      detail TEXT DEFAULT '' NOT NULL,
      content JSON,
      desired JSON,
      attempts INTEGER NOT NULL,
      next_attempt_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
      enrolled_at TIMESTAMP WITH TIME ZONE NOT NULL,
      state_since TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
      created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
      quickbooks_entity TEXT,
      quickbooks_id TEXT,
      sync_token TEXT,
      document_number TEXT,
      total NUMERIC(15, 2),
      drift TEXT,
      concessions TEXT DEFAULT '' NOT NULL,
      change TEXT DEFAULT '' NOT NULL,
      priority SMALLINT DEFAULT 0 NOT NULL,
      retried_at TIMESTAMP WITH TIME ZONE,
      guard_off BOOLEAN DEFAULT false NOT NULL,
      ready_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
      PRIMARY KEY (document_id),
      CONSTRAINT documents_key UNIQUE (portal_id, object_type, object_id, action, realm_id, enrolment)
    ) WITH (fillfactor = 80)
    """,
    """
    CREATE INDEX documents_due ON documents (realm_id, priority, next_attempt_at)
      INCLUDE (action)
      WHERE state = 'wanted'
    """,
    """
    CREATE INDEX documents_in_quickbooks ON documents (realm_id, quickbooks_entity, quickbooks_id)
      INCLUDE (action, state)
      WHERE quickbooks_id IS NOT NULL
    """,
    """
    CREATE TABLE document_names (
      document_id BIGINT NOT NULL,
      found_by TEXT COLLATE "C" DEFAULT '' NOT NULL,
      PRIMARY KEY (document_id)
    )
    """,
    """
    CREATE INDEX documents_number ON documents (document_number) WHERE document_number IS NOT NULL
    """,
    """
    CREATE INDEX documents_giving_way ON documents (realm_id)
      WHERE state = 'wanted' AND reason IN ('estimate', 'billed_first')
    """,
    """
    CREATE INDEX documents_changed ON documents (realm_id, next_attempt_at) WHERE change = 'open'
    """,
    """
    CREATE INDEX documents_drifted ON documents (realm_id) WHERE drift IS NOT NULL
    """,
    """
    CREATE INDEX documents_to_check ON documents (realm_id, reason)
      WHERE state = 'created' AND reason NOT IN ('', 'paid_in_quickbooks')
    """,
    """
    CREATE INDEX documents_stuck ON documents (state, reason, realm_id, action, state_since)
      WHERE state IN ('waiting', 'blocked', 'dismissed')
    """,
    """
    CREATE TABLE hydrations (
      portal_id BIGINT NOT NULL,
      object_type TEXT NOT NULL,
      object_id TEXT NOT NULL,
      attempts INTEGER DEFAULT 0 NOT NULL,
      next_hydration_at TIMESTAMP WITH TIME ZONE,
      problem TEXT DEFAULT '' NOT NULL,
      PRIMARY KEY (portal_id, object_type, object_id)
    )
    """,
    """
    CREATE INDEX hydrations_due ON hydrations (portal_id, next_hydration_at)
      WHERE next_hydration_at IS NOT NULL
    """,
    """
    CREATE INDEX hydrations_problems ON hydrations (portal_id, object_type, object_id)
      WHERE problem <> ''
    """,
    """
    CREATE TABLE journal_offsets (
      name TEXT NOT NULL,
      journal_offset TEXT NOT NULL,
      read_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
      PRIMARY KEY (name)
    )
    """,
    """
    CREATE TABLE objects (
      portal_id BIGINT NOT NULL,
      object_type TEXT NOT NULL,
      object_id TEXT NOT NULL,
      version BIGINT NOT NULL,
      state JSON NOT NULL,
      changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
      updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
      found_by TEXT COLLATE "C" DEFAULT '' NOT NULL,
      PRIMARY KEY (portal_id, object_type, object_id)
    ) WITH (fillfactor = 80)
    """,
    """
    CREATE INDEX objects_found_by ON objects (portal_id, object_type, object_id)
      INCLUDE (found_by)
      WHERE found_by <> ''
    """,
    """
    CREATE TABLE object_links (
      portal_id BIGINT NOT NULL,
      target_type TEXT NOT NULL,
      target_id TEXT NOT NULL,
      source_type TEXT NOT NULL,
      source_id TEXT NOT NULL,
      PRIMARY KEY (portal_id, target_type, target_id, source_type, source_id)
    )
    """,
    "CREATE INDEX object_links_source ON object_links (portal_id, source_type, source_id)",
    """
    CREATE TABLE offsets (
      group_id TEXT NOT NULL,
      topic TEXT NOT NULL,
      partition INTEGER NOT NULL,
      topic_id TEXT,
      next_offset BIGINT,
      epoch BIGINT NOT NULL,
      owner TEXT NOT NULL,
      updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
      PRIMARY KEY (group_id, topic, partition)
    )
    """,
    """
    CREATE TABLE operations (
      operation_id BIGINT GENERATED ALWAYS AS IDENTITY,
      realm_id TEXT NOT NULL,
      operation_key TEXT NOT NULL,
      document_id BIGINT,
      entity TEXT NOT NULL,
      verb TEXT DEFAULT 'create' NOT NULL,
      request_id TEXT NOT NULL,
      b_id TEXT,
      marker TEXT NOT NULL,
      request BYTEA NOT NULL,
      state TEXT DEFAULT 'begun' NOT NULL,
      attempts INTEGER NOT NULL,
      first_sent_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
      next_attempt_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
      finished_at TIMESTAMP WITH TIME ZONE,
      quickbooks_id TEXT,
      sync_token TEXT,
      error TEXT,
      tid TEXT,
      content JSON,
      PRIMARY KEY (operation_id),
      CONSTRAINT operations_key UNIQUE (realm_id, operation_key)
    ) WITH (fillfactor = 80)
    """,
    """
    CREATE INDEX operations_document ON operations (document_id)
    """,
    """
    CREATE INDEX operations_unfinished ON operations (realm_id, next_attempt_at)
      WHERE state IN ('begun', 'unknown')
    """,
    """
    CREATE TABLE outcomes (
      outcome_id BIGINT GENERATED ALWAYS AS IDENTITY,
      document_id BIGINT,
      kind TEXT NOT NULL,
      key TEXT NOT NULL,
      value JSON NOT NULL,
      occurred_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
      sequence BIGINT,
      published_at TIMESTAMP WITH TIME ZONE,
      PRIMARY KEY (outcome_id),
      CONSTRAINT outcomes_sequence UNIQUE (sequence)
    )
    """,
    """
    CREATE INDEX outcomes_document ON outcomes (document_id)
    """,
    """
    CREATE INDEX outcomes_unpublished ON outcomes (outcome_id) WHERE published_at IS NULL
    """,
    """
    CREATE TABLE quickbooks_references (
      realm_id TEXT NOT NULL,
      entity TEXT NOT NULL,
      quickbooks_id TEXT NOT NULL,
      sync_token TEXT DEFAULT '' NOT NULL,
      active BOOLEAN NOT NULL,
      name_key TEXT DEFAULT '' NOT NULL,
      email_key TEXT DEFAULT '' NOT NULL,
      sku TEXT DEFAULT '' NOT NULL,
      data JSON NOT NULL,
      PRIMARY KEY (realm_id, entity, quickbooks_id)
    )
    """,
    """
    CREATE INDEX quickbooks_references_email ON quickbooks_references (realm_id, email_key)
      WHERE email_key <> ''
    """,
    """
    CREATE INDEX quickbooks_references_name ON quickbooks_references (realm_id, entity, name_key)
    """,
    """
    CREATE INDEX quickbooks_references_sku ON quickbooks_references (realm_id, sku) WHERE sku <> ''
    """,
    """
    CREATE TABLE write_backs (
      document_id BIGINT NOT NULL,
      state TEXT DEFAULT 'wanted' NOT NULL,
      version INTEGER DEFAULT 1 NOT NULL,
      attempts INTEGER DEFAULT 0 NOT NULL,
      next_attempt_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
      written_to TEXT DEFAULT '' NOT NULL,
      problem TEXT DEFAULT '' NOT NULL,
      PRIMARY KEY (document_id)
    )
    """,
    """
    CREATE INDEX write_backs_due ON write_backs (next_attempt_at) WHERE state = 'wanted'
    """,
    "CREATE INDEX write_backs_problems ON write_backs (document_id) WHERE problem <> ''",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in (
        "metered_reads",
        "known_records",
        "ledger_counts",
        "quickbooks_references",
        "outcomes",
        "operations",
        "offsets",
        "object_links",
        "objects",
        "documents",
        "dead_letters",
        "companies",
        "installation",
        "audit_log",
        "replays",
        "hydrations",
        "journal_offsets",
        "write_backs",
    ):
        op.drop_table(table)
