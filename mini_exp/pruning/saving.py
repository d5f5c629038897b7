"""Pruned networks on disk, without pickle: safetensors, and a JSON of what was kept."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
from torch import Tensor, nn

from mini_exp import files
from mini_exp.errors import ArtifactError
from mini_exp.pruning.graph import Group, Reader
from mini_exp.pruning.layers import is_weighted
from mini_exp.pruning.operations import BATCH_NORMS
from mini_exp.pruning.selection import GroupPath, GroupSelection, Selection
from mini_exp.pruning.surgery import smaller_network, with_new_biases
from mini_exp.spectral import Floats

WEIGHTS = "network.safetensors"
SELECTION = "selection.json"


def save_pruned(network: nn.Module, selection: Selection, directory: Path | str) -> None:
    """Write a pruned network's state and what was kept of every group.

    Parameters
    ----------
    network : nn.Module
        As ``prune`` returned it, fine-tuned or not.
    selection : Selection
        As ``prune`` returned it.
    directory : path
        Gets ``network.safetensors`` (parameters and buffers) and ``selection.json`` (widths, index
        sets, layers); created if it is not there. Each file is written whole or not at all.

    Raises
    ------
    ArtifactError
        If the directory cannot be written.
    """
    folder = Path(directory)
    files.write_bytes(folder / WEIGHTS, state_bytes(network.state_dict()))
    files.write_bytes(folder / SELECTION, selection_bytes(selection))


def load_pruned(network: nn.Module, directory: Path | str) -> tuple[nn.Module, Selection]:
    """Read a pruned network back, bit for bit.

    Parameters
    ----------
    network : nn.Module
        A fresh network of the original size: it gives the layout. Not changed.
    directory : path
        What ``save_pruned`` wrote.

    Returns
    -------
    network : nn.Module
        In the mode and on the device of the given one.
    selection : Selection

    Raises
    ------
    ArtifactError
        If a file is missing or damaged, or belongs to another network.
    """
    folder = Path(directory)
    selection = _parsed(folder / SELECTION, parsed_selection)
    state = _parsed(folder / WEIGHTS, parsed_state)
    check_layout(network, selection, str(folder / SELECTION))
    smaller = restored_network(network, state, selection, str(folder / WEIGHTS))
    device = next((parameter.device for parameter in network.parameters()), None)
    return (smaller if device is None or device.type == "meta" else smaller.to(device)), selection


def restored_network(
    network: nn.Module, state: Mapping[str, Tensor], selection: Selection | None, source: str
) -> nn.Module:
    """The saved network of a layout, in type and bits as it was saved.

    Parameters
    ----------
    network : nn.Module
        Of the original size. A copy is made where there is a selection.
    state : mapping
        Parameters and buffers.
    selection : Selection or None
        What is left of the original; None for all.
    source : str
        What an error names.

    Raises
    ------
    ArtifactError
        If the state is another network's.
    """
    if selection is not None:
        network = with_new_biases(smaller_network(network, selection), state)
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise ArtifactError(
            f"{source}: does not fit {type(network).__name__}: {' '.join(str(error).split())}"
        ) from None
    return network


def state_bytes(state: Mapping[str, Tensor]) -> bytes:
    """Parameters and buffers by name, as safetensors."""
    return safetensors.torch.save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    )


def parsed_state(content: bytes) -> dict[str, Tensor]:
    """What ``state_bytes`` made."""
    return dict(sorted(safetensors.torch.load(content).items()))


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
    content = {"rescale_dropout": selection.rescale_dropout, "gap": selection.gap, "layers": layers}
    return (json.dumps(content, indent=1) + "\n").encode()


def parsed_selection(content: bytes) -> Selection:
    """What ``selection_bytes`` made; any error of a parser where it is not that."""
    saved = json.loads(content)
    groups = tuple(map(_parsed_layer, saved["layers"]))
    for kind in ("writers", "batch_norms", "readers"):
        names = [str(name) for kept in groups for name in getattr(kept.group, kind)]
        if len(set(names)) < len(names):
            raise ValueError(f"expected each layer once among the {kind}")
    if not isinstance(saved["rescale_dropout"], bool):
        raise ValueError("expected rescale_dropout true or false")
    gap = saved["gap"]
    return Selection(groups, saved["rescale_dropout"], None if gap is None else float(gap))


def _parsed_layer(entry: Mapping[str, Any]) -> GroupSelection:
    group = Group(
        name=str(entry["name"]),
        width=int(entry["units"]),
        writers=tuple(map(str, entry["writers"])),
        batch_norms=tuple(map(str, entry["batch_norms"])),
        dropouts=tuple(map(str, entry["dropouts"])),
        readers=tuple(
            Reader(
                str(reader["module"]),
                str(reader["tensor"]),
                int(reader["channels"]),
                int(reader["positions"]),
            )
            for reader in entry["readers"]
        ),
    )
    index_path, indices = entry["path"], entry["indices"]
    if not indices or {type(index) for index in (*indices, *index_path)} != {int}:
        raise ValueError(f"{group.name}: expected indices")
    if sorted(index_path) != list(range(group.width)):
        raise ValueError(f"{group.name}: expected distinct indices below {group.width}")
    if index_path[: len(indices)] != indices:
        raise ValueError(f"{group.name}: expected indices that begin the path")
    information = entry["path_information"]
    if len(information) != group.width or information[: len(indices)] != entry["information"]:
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


def _number(value: Floats | None) -> float | None:
    return None if value is None else float(value)


def _lists(columns: Mapping[str, Floats]) -> dict[str, list[float]]:
    return {name: column.tolist() for name, column in columns.items()}


def _arrays(columns: Mapping[str, Any]) -> dict[str, Floats]:
    return {str(name): np.array(column, dtype=np.float64) for name, column in columns.items()}


def _parsed(path: Path, parse: Any) -> Any:
    content = files.read_bytes(path, files.sha256(path))
    try:
        return parse(content)
    except Exception as error:  # whatever a parser makes of a hostile file
        text = " ".join(str(error).split())[:200]
        raise ArtifactError(f"{path}: cannot be parsed: {type(error).__name__}: {text}") from None


def check_layout(network: nn.Module, selection: Selection, source: str) -> None:
    """Refuse a selection whose layers the network does not have, in the sizes before pruning.

    Raises
    ------
    ArtifactError
        Naming the selection's source.
    """
    modules = dict(network.named_modules())
    for kept in selection.groups:
        group = kept.group
        expected = [
            *((name, ("out_channels", "out_features"), group.width) for name in group.writers),
            *((name, ("num_features",), group.width) for name in group.batch_norms),
            *(
                (reader.module, ("in_channels", "in_features"), group.width * reader.positions)
                for reader in group.readers
            ),
        ]
        for name, attributes, size in expected:
            module = modules.get(name)
            covered = is_weighted(module) or isinstance(module, BATCH_NORMS)
            if not covered or size not in [getattr(module, name, None) for name in attributes]:
                raise ArtifactError(
                    f"{source}: made for another network: expected {name} with "
                    f"{attributes[0]} {size} in {type(network).__name__} before pruning"
                )
