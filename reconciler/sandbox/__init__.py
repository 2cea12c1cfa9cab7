"""A QuickBooks Online company server: Intuit's v3 Accounting API for demo, tests and rehearsal.

It holds companies in memory (optionally on disk) and answers as QuickBooks does, limits and faults
included. It shares no code with the rest of the project and nothing imports it: what it knows of
QuickBooks is a second reading of the vendor's facts. Start it as its own process; `admin.py` lists
what can be asked of it besides.
"""
