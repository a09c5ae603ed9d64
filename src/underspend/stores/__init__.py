"""The ledger and what else must last. Each store serves a port of `core.ports` and has a twin in memory."""
