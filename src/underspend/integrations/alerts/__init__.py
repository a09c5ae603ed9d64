"""Telling people: webhooks, Slack's format, the desktop, e-mail; delivered in the background."""
