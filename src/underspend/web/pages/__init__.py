"""SHELF: one page per file, each a function from reports to what its template shows."""
