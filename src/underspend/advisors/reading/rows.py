"""Rows of evidence as they are kept between runs: the best of each part, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, overload

Kept = TypeVar("Kept")
Row = Mapping[str, str | int]


def first(parts: Iterable[Iterable[Kept]], order: Callable[[Kept], Any], most: int | None = None) -> list[Kept]:
    """What several parts kept, in one order; the first `most` of it."""
    return sorted((each for part in parts for each in part), key=order)[:most]


class Rows(Sequence[Row]):
    """Rows that are made when somebody looks at one; how many there are is known before."""

    def __init__(self, count: int, make: Callable[[], Sequence[Row]]) -> None:
        self._count = count
        self._make = make
        self._made: Sequence[Row] | None = None

    def __len__(self) -> int:
        return self._count

    def _rows(self) -> Sequence[Row]:
        if self._made is None:
            self._made = self._make()
        return self._made

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...

    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        return self._rows()[index]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows())

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # rows are no keys
