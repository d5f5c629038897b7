"""Pruned networks on disk, without pickle: safetensors, and a JSON of what was kept."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from mini_exp import artifacts
from mini_exp.errors import ArtifactError
from mini_exp.pruning.graph import BATCH_NORMS, WEIGHTED
from mini_exp.pruning.selection import PruningSelection
from mini_exp.pruning.surgery import smaller_network, with_new_biases
from mini_exp.types import NetworkState

WEIGHTS = "network.safetensors"
SELECTION = "selection.json"


def save_pruned(network: nn.Module, selection: PruningSelection, directory: Path | str) -> None:
    """Write a pruned network's state and what was kept of every group.

    Parameters
    ----------
    network : nn.Module
        As ``prune`` returned it, fine-tuned or not.
    selection : PruningSelection
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
    state = NetworkState(dict(network.state_dict()))
    artifacts.write(folder / WEIGHTS, state, "pruned")
    artifacts.write(folder / SELECTION, selection, "pruned")


def load_pruned(network: nn.Module, directory: Path | str) -> tuple[nn.Module, PruningSelection]:
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
    selection : PruningSelection

    Raises
    ------
    ArtifactError
        If a file is missing or damaged, or belongs to another network.
    """
    folder = Path(directory)
    selection: PruningSelection = artifacts.read(
        folder / SELECTION, artifacts.sha256(folder / SELECTION), "pruned"
    )
    state: NetworkState = artifacts.read(
        folder / WEIGHTS, artifacts.sha256(folder / WEIGHTS), "pruned"
    )
    _check_layout(network, selection, folder)
    smaller = with_new_biases(smaller_network(network, selection), state.tensors)
    device = next((parameter.device for parameter in network.parameters()), None)
    try:
        smaller.load_state_dict(state.tensors, assign=True)  # as saved, in type and bits
    except RuntimeError as error:
        raise ArtifactError(
            f"{folder / WEIGHTS}: does not fit {type(network).__name__}: "
            f"{' '.join(str(error).split())}"
        ) from None
    return (smaller if device is None or device.type == "meta" else smaller.to(device)), selection


def _check_layout(network: nn.Module, selection: PruningSelection, folder: Path) -> None:
    """Refuse a selection whose layers the network does not have, in the sizes before pruning."""
    modules = dict(network.named_modules())
    for path in selection.groups:
        group = path.group
        expected = [
            *((name, WEIGHTED, ("out_channels", "out_features"), 1) for name in group.writers),
            *((name, BATCH_NORMS, ("num_features",), 1) for name in group.batch_norms),
            *(
                (reader.module, WEIGHTED, ("in_channels", "in_features"), reader.positions)
                for reader in group.readers
            ),
        ]
        for name, kinds, sizes, positions in expected:
            found = [getattr(modules.get(name), attribute, None) for attribute in sizes]
            size = group.width * positions
            if not isinstance(modules.get(name), kinds) or size not in found:
                raise ArtifactError(
                    f"{folder / SELECTION}: made for another network: expected {name} with "
                    f"{sizes[0]} {size} in {type(network).__name__} before pruning"
                )
