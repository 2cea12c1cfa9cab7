"""A HubSpot API server for tests and the demo: objects, associations, notes, the webhooks journal.

A process of its own that imports nothing of the project: a second reading of the vendor's facts.
"""
