"""Takes records into Postgres: fold, decide, record and advance in one transaction."""
