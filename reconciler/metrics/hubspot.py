"""What the HubSpot side counts: gateway, journal, hydration, write back."""

from __future__ import annotations

from reconciler.metrics.families import SHORT, Families


class HubSpotMetrics:
    """What the HubSpot side counts: gateway, journal, hydration, write back."""

    def __init__(self, families: Families) -> None:
        self.requests = families.counter(
            "gateway_requests", "Webhook deliveries, by what became of them.", "result"
        )
        self.request_seconds = families.histogram(
            "gateway_request_seconds", "From a delivery's headers to its answer.", SHORT
        )
        self.feed_events = families.counter(
            "feed_events", "Events received from HubSpot, by type of object.", "object_type"
        )
        self.journal_read_at = families.gauge(
            "journal_read_timestamp_seconds", "When the journal was last read to its end."
        )
        self.journal_lost = families.gauge(
            "journal_lost", "1 when HubSpot forgot events before they were read."
        )
        self.hubspot_calls = families.counter(
            "hubspot_calls", "HTTP exchanges with HubSpot.", "operation", "status"
        )
        self.hydrations = families.counter(
            "hydrations", "Objects fetched from HubSpot for want of facts.", "result"
        )
        self.write_backs = families.counter(
            "write_backs", "Documents written back to HubSpot.", "result"
        )

    def request(self, result: str, seconds: float) -> None:
        self.requests.labels(result).inc()
        self.request_seconds.observe(seconds)

    def events(self, object_type: str, count: int) -> None:
        self.feed_events.labels(object_type).inc(count)

    def journal_read(self, at_seconds: float) -> None:
        self.journal_read_at.set(at_seconds)

    def hubspot_call(self, operation: str, status: int) -> None:
        self.hubspot_calls.labels(operation, str(status)).inc()

    def hydrated(self, result: str, count: int) -> None:
        self.hydrations.labels(result).inc(count)

    def written_back(self, result: str) -> None:
        self.write_backs.labels(result).inc()
