"""The dashboard: pages, charts and a JSON API over `reports`, served under `/_/` by the gateway."""
