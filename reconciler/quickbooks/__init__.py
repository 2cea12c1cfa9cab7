"""The client for the real QuickBooks Online Accounting API.

`protocol`, `queries`, `answers`, `faults`, `limits`, `references`, `company`, `names` and
`webhooks` are pure: they build requests, read answers and count, and can be tested without a
socket. `client`, `gate` and `tokens` are the thin part that talks. Nothing here decides what to
create, retries work, or knows Postgres and Kafka.
"""
