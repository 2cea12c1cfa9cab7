"""Brings the ledger's documents into QuickBooks: one owner per company, each write named before it goes."""
