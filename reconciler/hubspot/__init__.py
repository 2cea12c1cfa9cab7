"""HubSpot's REST API as this service uses it: read what is missing, write back what was made.

`protocol` builds requests and reads answers (no I/O), `client` sends them within HubSpot's limits,
`hydrate` fetches objects that documents wait for, `journal` reads the webhooks journal.
"""
