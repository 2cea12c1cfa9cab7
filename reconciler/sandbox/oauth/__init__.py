"""Owns OAuth 2.0 as Intuit runs it: consent, tokens that rotate and expire, revocation."""
