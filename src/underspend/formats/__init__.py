"""Bytes ⇄ core: what providers and clients write on the wire, read without altering it."""
