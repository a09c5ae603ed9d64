"""The audit as text, JSON, CSV and Markdown."""
