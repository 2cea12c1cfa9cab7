"""The demo: a feed that knows what it planted, the service run on it, and the books audited.

`feed` tells stories as HubSpot would and writes down what must be in QuickBooks afterwards;
`seeding` gives the companies a past; `audit` reads the books back. None of them knows how the
service decides: they are a second reading of the rules.
"""
