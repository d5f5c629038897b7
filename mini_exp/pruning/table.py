"""A pruned network's layers as a table: widths, parameters, multiply-accumulates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mini_exp.pruning.graph import Entries, Layer

HEAD = ("layer", "width", "parameters", "multiply-accumulates")


def layer_table(layers: Sequence[Layer], share: Mapping[str, float]) -> list[str]:
    """Lines of a table: of every use of a weight its output's width and what it costs.

    Parameters
    ----------
    layers : sequence of Layer
    share : mapping from group to the share of it that is kept

    Examples
    --------
    >>> layer = Layer("fc", 1, 1, reads=((None, 3),), writes=(("fc", 4),))
    >>> print(*layer_table([layer], {"fc": 0.5}), sep="\\n")
    layer         width  parameters  multiply-accumulates
    fc           4 -> 2     12 -> 6               12 -> 6
    all weights             12 -> 6               12 -> 6
    """
    whole = [_counts(layer, {}) for layer in layers]
    pruned = [_counts(layer, share) for layer in layers]
    rows = [HEAD]
    for layer, before, after in zip(layers, whole, pruned, strict=True):
        cells = [_change(a, b) for a, b in zip(before, after, strict=True)]
        rows.append((layer.module, cells[0], cells[1], cells[2]))
    totals = [_change(sum(one[i] for one in whole), sum(one[i] for one in pruned)) for i in (1, 2)]
    rows.append(("all weights", "", totals[0], totals[1]))
    sizes = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(_padded(row, sizes)).rstrip() for row in rows]


def _counts(layer: Layer, share: Mapping[str, float]) -> tuple[int, int, int]:
    """Width of the output, weights, and products with them."""
    reads, writes = (_size(entries, share) for entries in (layer.reads, layer.writes))
    weights = reads * writes * layer.kernel // layer.groups
    return writes, weights, weights * layer.positions


def _size(entries: Entries, share: Mapping[str, float]) -> int:
    return round(sum(n * share.get(name or "", 1.0) for name, n in entries))


def _change(before: int, after: int) -> str:
    numbers = [f"{n:,}".replace(",", " ") for n in (before, after)]
    return numbers[0] if before == after else " -> ".join(numbers)


def _padded(row: Sequence[str], sizes: Sequence[int]) -> list[str]:
    first, *others = zip(row, sizes, strict=True)
    return [first[0].ljust(first[1]), *(cell.rjust(size) for cell, size in others)]
