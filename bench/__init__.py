"""Figures: ours and the peers side by side, on the same broker, Postgres and QuickBooks stand-in."""
