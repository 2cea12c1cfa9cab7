"""Events about documents on their way to Kafka: entered with the change, published once.

Intake and dispatch enter them, `relay` publishes them; `reconciler.outcomes` says what is in one.
"""

from __future__ import annotations

from typing import NamedTuple


class NewOutcome(NamedTuple):
    """An event about a document, to be published once; `value` is JSON text."""

    document_id: int
    kind: str
    key: str
    value: str


class UnpublishedOutcome(NamedTuple):
    """An outcome in the order in which it must be published."""

    sequence: int
    kind: str
    key: str
    value: str
