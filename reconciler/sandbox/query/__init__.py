"""Owns QuickBooks's query language: reading a statement, and finding the rows it selects."""
