"""Owns QuickBooks's business rules: what each entity needs, computes, links and posts."""
