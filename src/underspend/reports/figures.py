"""Figures and times as people read them; every surface shows them the same way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from underspend.core import money
from underspend.core.evidence import Evidence
from underspend.core.money import Money, to_usd
from underspend.reports.periods import clock_time

if TYPE_CHECKING:
    # Only for their names: they bring the database with them, which the audit need not wait for.
    from underspend.reports.entry import Entry
    from underspend.reports.sums import Sums

UNPRICED = "unpriced"
NONE = "—"

_UNITS = ((10**9, "B"), (10**6, "M"), (10**3, "k"))
_MILLISECOND, _SECOND, _MINUTE, _HOUR = 1_000, 1_000_000, 60_000_000, 3_600_000_000
_SHORT_ID = 8


def tokens(count: int) -> str:
    """A count in three significant figures: "999", "12.3k", "4.56M"."""
    for place, (size, unit) in enumerate(_UNITS):
        if count >= size:
            shown = f"{count / size:.3g}"
            # 999,999 is a million, not 1e+03k.
            if "e" in shown and place:
                return f"1{_UNITS[place - 1][1]}"
            return f"{shown if 'e' not in shown else f'{count / size:,.0f}'}{unit}"
    return str(count)


def saved(amount: Money) -> str:
    """What was paid less than without us: "$1.20"; "−$0.05" where we made it dearer."""
    return money.show(amount)


def paid(call: Entry) -> str:
    """What a call cost: "unpriced" where no part has a price, "$0.10 + unpriced" where some part has none."""
    if call.unpriced:
        return f"{money.show(call.paid)} + {UNPRICED}" if call.paid else UNPRICED
    return money.show(call.paid)


def exact(amount: Money) -> str:
    """Every digit of an amount, and its cents at least: "$0.000125", "$2.00"."""
    usd = abs(to_usd(amount))
    shown = f"{usd:,f}" if usd.as_tuple().exponent not in (0, -1) else f"{usd:,.2f}"
    return f"{'−' if amount < 0 else ''}${shown}"


def share(part: int, whole: int) -> str:
    """A part in percent: "93.4%"; "—" of nothing, "<0.1%" for a trace."""
    if not whole:
        return NONE
    percent = 100 * part / whole
    if 0 < percent < 0.05:  # noqa: PLR2004  # what would round to 0.0
        return "<0.1%"
    return f"{percent:.1f}%" if percent not in (0, 100) else f"{percent:.0f}%"


def change(now: Money, before: Money) -> str | None:
    """How much more or less than before: "+12%", "−8%", "×3.2"; None when there was nothing before."""
    if not before:
        return None
    ratio = now / before
    if ratio >= 3:  # noqa: PLR2004  # past this percents are hard to read
        return f"×{ratio:.1f}" if ratio < 100 else f"×{ratio:,.0f}"  # noqa: PLR2004  # as above
    percent = round(100 * (ratio - 1))
    return f"+{percent}%" if percent > 0 else f"−{-percent}%" if percent < 0 else "±0%"


def length(microseconds: int | None) -> str:
    """A length of time: "850 µs", "12.0 ms", "1.50 s", "2 min 05 s"."""
    if microseconds is None:
        return NONE
    if microseconds < _MILLISECOND:
        return f"{microseconds} µs"
    if microseconds < _SECOND:
        return f"{microseconds / _MILLISECOND:.1f} ms"
    if microseconds < _MINUTE:
        return f"{microseconds / _SECOND:.2f} s"
    if microseconds < _HOUR:
        minutes, seconds = divmod(microseconds // _SECOND, 60)
        return f"{minutes} min {seconds:02} s"
    hours, minutes = divmod(microseconds // _MINUTE, 60)
    return f"{hours} h {minutes:02} min"


def when(at: int, tz: ZoneInfo | None) -> str:
    """A date and time to the second: "2026-11-20 14:05:09"."""
    return clock_time(at, tz).strftime("%Y-%m-%d %H:%M:%S")


def hour_and_minute(at: int, tz: ZoneInfo | None) -> str:
    """A time of day: "14:05:09"."""
    return clock_time(at, tz).strftime("%H:%M:%S")


def short(name: str | None) -> str:
    """The first eight characters of an id; enough to name it to `explain` in nearly every ledger."""
    return name[:_SHORT_ID] if name else NONE


def answered(sums: Sums) -> str:
    """The calls that were answered here, and what that spared at the least, as the start of a sentence."""
    calls = f"{sums.answered:,} call{'s' if sums.answered != 1 else ''} got a kept reply, at no cost"
    return f"{calls}; the provider would have billed {money.show(sums.spared)} at the least (estimated)"


def edit(name: str, detail: str | None) -> str:
    """What an edit does: in its own words where it has some ("model → claude-haiku-5-5"), else "drop blocks".

    The text of what it changed, which may stand below them, is left out.
    """
    return detail.partition("\n")[0] if detail else re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def evidence_mix(sums: Sums) -> str:
    """How the dollars are known, by share: "97.2% billed, 2.8% estimated"; "—" where there are none."""
    known = [(each, sums.evidence.get(each.value, 0)) for each in Evidence]
    parts = [f"{share(amount, sums.paid)} {each.value}" for each, amount in known if amount]
    return ", ".join(parts) or NONE
