"""What belongs to the hidden layers of a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")


class Layers(Mapping[str, T]):
    """One value per hidden layer, in order: by the name of its group of units, or by its number.

    Examples
    --------
    >>> widths = Layers({"conv1": 16, "conv2": 32})
    >>> widths[1], widths["conv2"], list(widths)
    (16, 32, ['conv1', 'conv2'])
    """

    def __init__(self, values: Mapping[str, T]) -> None:
        self._values = dict(values)
        self._names = dict(enumerate(self._values, start=1))

    def __getitem__(self, layer: str | int) -> T:
        name = self._names.get(layer, "") if isinstance(layer, int) else layer
        if name not in self._values:
            raise KeyError(
                f"no layer {layer!r}; expected 1 to {len(self)} or one of {', '.join(self)}"
            )
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Layers({self._values})"
