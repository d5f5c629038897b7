"""A selection as JSON and back: what stays of every group, and where its channels are."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from mini_exp.pruning.graph import (
    Entries,
    Frozen,
    Group,
    Layer,
    Places,
    Reader,
    Reading,
    Slot,
)
from mini_exp.pruning.selection import GroupPath, GroupSelection, NormFit, Recovered, Selection
from mini_exp.spectral import Floats


def selection_bytes(selection: Selection) -> bytes:
    """Which channels of a network stay, and which modules write, normalise and read them."""
    layers = [
        {
            "layer": number,
            **dataclasses.asdict(kept.group),
            "units": kept.group.width,
            "width": kept.width,
            "indices": kept.index_path.tolist(),
            "information": kept.information_ratio.tolist(),
            "path": kept.path.index_path.tolist(),
            "path_information": kept.path.information_ratio.tolist(),
            "output_scale": _number(kept.path.output_scale),
            "losses": _lists(kept.path.losses),
            "exhaustive": _lists(kept.path.exhaustive),
        }
        for number, kept in enumerate(selection.groups, start=1)
    ]
    content = {
        "rescale_dropout": selection.rescale_dropout,
        "gap": selection.gap,
        "agreement": selection.agreement,
        "predicted_loss": selection.predicted_loss,
        "recovered": selection.recovered and dataclasses.asdict(selection.recovered),
        "norms": [dataclasses.asdict(one) for one in selection.norms],
        "layers": layers,
        "uses": [dataclasses.asdict(one) for one in selection.layers],
        "frozen": [dataclasses.asdict(one) for one in selection.frozen],
    }
    return (json.dumps(content, indent=1) + "\n").encode()


def parsed_selection(content: bytes) -> Selection:
    """What ``selection_bytes`` made; any error of a parser where it is not that."""
    saved = json.loads(content)
    groups = tuple(map(_parsed_layer, saved["layers"]))
    names = [kept.group.name for kept in groups]
    if len(set(names)) < len(names):
        raise ValueError("expected each group once")
    if not isinstance(saved["rescale_dropout"], bool):
        raise ValueError("expected rescale_dropout true or false")
    gap, agreement, predicted = (
        None if saved[key] is None else float(saved[key])
        for key in ("gap", "agreement", "predicted_loss")
    )
    recovered = saved["recovered"] and Recovered(**saved["recovered"])
    uses = tuple(
        Layer(**one | {"reads": _entries(one["reads"]), "writes": _entries(one["writes"])})
        for one in saved["uses"]
    )
    frozen = tuple(Frozen(**one) for one in saved["frozen"])
    norms = tuple(
        NormFit(str(one["weight"]), float(one["scale"]), float(one["error"]))
        for one in saved["norms"]
    )
    rescaled = saved["rescale_dropout"]
    return Selection(groups, rescaled, gap, uses, frozen, agreement, predicted, recovered, norms)


def _parsed_layer(entry: Mapping[str, Any]) -> GroupSelection:
    group = Group(
        name=str(entry["name"]),
        width=int(entry["units"]),
        writers=tuple(map(str, entry["writers"])),
        slots=tuple(map(_parsed_slot, entry["slots"])),
        readings=tuple(
            Reading(_parsed_reader(reading["reader"]), _places(reading["places"]))
            for reading in entry["readings"]
        ),
        dropouts=tuple(map(str, entry["dropouts"])),
        attributes=tuple((str(module), str(name)) for module, name in entry["attributes"]),
        scaled=tuple(
            (str(tensor), int(axis), tuple(map(int, entries)))
            for tensor, axis, entries in entry["scaled"]
        ),
        norms=tuple(map(str, entry["norms"])),
    )
    _check_members(group)
    index_path, indices = entry["path"], entry["indices"]
    if not indices or {type(index) for index in (*indices, *index_path)} != {int}:
        raise ValueError(f"{group.name}: expected indices")
    if len(set(index_path)) < len(index_path) or not set(index_path) <= set(range(group.width)):
        raise ValueError(f"{group.name}: expected distinct indices below {group.width}")
    if index_path[: len(indices)] != indices:
        raise ValueError(f"{group.name}: expected indices that begin the path")
    information = entry["path_information"]
    if len(information) != len(index_path) or information[: len(indices)] != entry["information"]:
        raise ValueError(f"{group.name}: expected as much information as indices")
    if entry["width"] != len(indices):
        raise ValueError(f"{group.name}: expected as many indices as its width")
    scale = entry["output_scale"]
    path = GroupPath(
        group,
        np.array(index_path),
        np.array(information, dtype=np.float64),
        None if scale is None else np.asarray(scale, dtype=np.float64),
        _arrays(entry["losses"]),
        _arrays(entry["exhaustive"]),
    )
    return GroupSelection(path, len(indices))


def _check_members(group: Group) -> None:
    """Refuse entries that are none, and writers and readers that have none."""
    for slot in group.slots:
        entries = [place for places in slot.places for place in places]
        if len(slot.places) != group.width or len(set(entries)) < len(entries):
            raise ValueError(f"{group.name}: expected distinct entries of every channel")
        if not all(0 <= place < slot.size for place in entries):
            raise ValueError(f"{group.name}: expected entries below {slot.size}")
    axes = [(slot.tensor, slot.axis) for slot in group.slots]
    read = [(slot.tensor, slot.axis) for slot in group.slots if slot.reads]
    for members in (axes, group.writers, group.readings):
        if len(set(members)) < len(members):
            raise ValueError(f"{group.name}: expected every slot, writer and reading once")
    if not set(group.writers) <= {tensor for tensor, _ in axes}:
        raise ValueError(f"{group.name}: expected writers that have entries")
    if not {(reader.weight, reader.input_axis) for reader in group.readers} <= set(read):
        raise ValueError(f"{group.name}: expected readers that have entries")
    if not group.readings or any(len(one.places) != group.width for one in group.readings):
        raise ValueError(f"{group.name}: expected readings of every channel")


def _parsed_slot(entry: Mapping[str, Any]) -> Slot:
    return Slot(
        str(entry["tensor"]),
        int(entry["axis"]),
        int(entry["size"]),
        _places(entry["places"]),
        bool(entry["reads"]),
        bool(entry["masked"]),
    )


def _parsed_reader(entry: Mapping[str, Any]) -> Reader:
    named = {field.name: entry[field.name] for field in dataclasses.fields(Reader)}
    return Reader(**named | {"order": tuple(map(int, entry["order"]))})


def _entries(lists: Any) -> Entries:
    return tuple((None if name is None else str(name), int(n)) for name, n in lists)


def _places(lists: Any) -> Places:
    return tuple(tuple(map(int, places)) for places in lists)


def _number(value: Floats | None) -> float | None:
    return None if value is None else float(value)


def _lists(columns: Mapping[str, Floats]) -> dict[str, list[float]]:
    return {name: column.tolist() for name, column in columns.items()}


def _arrays(columns: Mapping[str, Any]) -> dict[str, Floats]:
    return {str(name): np.array(column, dtype=np.float64) for name, column in columns.items()}
