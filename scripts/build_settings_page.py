"""Writes docs/settings.md from the settings' own descriptions. A test holds the two together."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from underspend.config.load import described

HEAD = """# Settings

Said in `config.toml`, by environment variables, or by flags; the last to speak wins in that order.
`underspend config explain` shows each value in force and where it was said. This page is made by
`scripts/build_settings_page.py`.

| setting | variable | default | meaning |
|---|---|---|---|
"""

TAIL = """
`[strategies.<name>]` tables have a `state` (`off`, `shadow`, `on`), the settings on each
[strategy's page](strategies/), and `[[strategies.<name>.scopes]]` with other states for a project, a key or an agent's
calls: see [acting](acting.md).
`[prices."<model>"]` tables set your own prices: see [prices](prices.md).
`[providers.<name>]` tables name other providers: see [providers](providers.md). `[fallbacks]` says whom to ask when one
does not answer: see [fallbacks](fallbacks.md). `[alerts]` with `[[alerts.to]]`, `[rate_limits.<name>]` and `[runaway]`
say whom to tell what, what is too much at once, and what to do about calls that run away: see [alerts](alerts.md).
`[budgets.<name>]` tables are caps in dollars: see [budgets](budgets.md).
"""


def page() -> str:
    """The whole page."""
    rows = []
    for name, default, text in described():
        variable = f"UNDERSPEND_{name.replace('.', '_').upper()}"
        rows.append(f"| `{name}` | `{variable}` | `{json.dumps(msgspec.to_builtins(default))}` | {text} |")
    return HEAD + "\n".join(rows) + "\n" + TAIL


if __name__ == "__main__":
    Path(__file__).parents[1].joinpath("docs", "settings.md").write_text(page(), encoding="utf-8")
