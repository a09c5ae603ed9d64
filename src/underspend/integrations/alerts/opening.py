"""Everything that tells, made from the settings and running while a gateway does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from underspend.config.alerts import AlertSettings
from underspend.core.alerts import Alert
from underspend.core.ports import Clock
from underspend.integrations.alerts.deliver import Deliveries, Fault
from underspend.integrations.alerts.hourly import Hourly
from underspend.integrations.alerts.places import places_of
from underspend.integrations.alerts.record import Record


@contextmanager
def open_alerts(  # noqa: PLR0913  # the one place where the parts meet
    said: AlertSettings,
    folder: Path,
    clock: Clock,
    *,
    environ: Mapping[str, str],
    on_fault: Fault,
    look: Callable[[int], Sequence[Alert]],
) -> Iterator[Deliveries]:
    """Deliveries to the places of the settings; `look` finds what weeks and months have to tell, every hour.

    Without a place nothing is started and what is told goes nowhere.
    """
    places = places_of(said.to, environ)
    deliveries = Deliveries(places, clock, quiet=said.quiet, record=Record(folder), on_fault=on_fault)
    if not places:
        yield deliveries
        return
    with deliveries, Hourly(look, deliveries, clock, on_fault=on_fault):
        yield deliveries
