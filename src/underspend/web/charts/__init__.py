"""SHELF: one chart per file, each a pure function from data to SVG and HTML."""
