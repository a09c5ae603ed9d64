"""What routing has learned, in the ledger's database: rows of text that `routing.rows` writes and reads."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Engine, delete, select

from underspend.routing.rows import Row
from underspend.stores.schema import routing
from underspend.stores.upserts import Upserts

Name = tuple[str, str]
"""A row's kind and key."""


class RoutingRows:
    """The table `routing`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._upserts = Upserts()

    def load(self) -> list[Row]:
        """All rows. Raises SQLAlchemyError where they cannot be read."""
        with self._engine.connect() as connection:
            return [Row(*found) for found in connection.execute(select(routing))]

    def keep(self, rows: Iterable[Row], gone: Iterable[Name] = ()) -> None:
        """Write rows over those of the same name, and remove those that are gone, all or nothing.

        Raises SQLAlchemyError where they cannot be written: nothing has changed then.
        """
        with self._engine.begin() as connection:
            self._upserts.replace(connection, routing, [each._asdict() for each in rows])
            for kind, key in gone:
                connection.execute(delete(routing).where(routing.c.kind == kind, routing.c.key == key))
