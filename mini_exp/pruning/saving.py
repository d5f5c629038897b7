"""Pruned networks on disk, without pickle: safetensors, and a JSON of what was kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from mini_exp import files
from mini_exp.errors import ArtifactError
from mini_exp.pruning.selection import Selection
from mini_exp.pruning.selection_file import parsed_selection, selection_bytes
from mini_exp.pruning.surgery import owner, smaller_network, with_new_biases

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
    try:
        with torch.inference_mode(False):
            if selection is not None:
                network = with_new_biases(smaller_network(network, selection), state)
            shared = _shared_parameters(network)
            network.load_state_dict(_ordinary(state), assign=True)
            for module in network.modules():  # buffers that no state holds
                module._buffers.update(_ordinary(module._buffers))
    except RuntimeError as error:
        raise ArtifactError(
            f"{source}: does not fit {type(network).__name__}: {' '.join(str(error).split())}"
        ) from None
    for first, *others in shared:
        for name in others:
            module, attribute = owner(network, name)
            setattr(module, attribute, network.get_parameter(first))
    return network


def _ordinary(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors, with copies of those that were made in inference mode: they can be trained."""
    return {
        name: value.clone() if isinstance(value, Tensor) and value.is_inference() else value
        for name, value in tensors.items()
    }


def _shared_parameters(network: nn.Module) -> list[list[str]]:
    """Names of the same parameter, which modules share."""
    names: dict[int, list[str]] = {}
    for name, parameter in network.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    return [several for several in names.values() if len(several) > 1]


def state_bytes(state: Mapping[str, Tensor]) -> bytes:
    """Parameters and buffers by name, as safetensors.

    Raises
    ------
    ArtifactError
        If the state holds something else, as ``get_extra_state`` may give it.
    """
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise ArtifactError(
                f"{name}: expected a state of tensors, got {type(value).__name__}; keep it in a "
                "buffer instead"
            )
    return safetensors.torch.save(
        {
            name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
            for name, tensor in state.items()
        }
    )


def parsed_state(content: bytes) -> dict[str, Tensor]:
    """What ``state_bytes`` made."""
    return dict(sorted(safetensors.torch.load(content).items()))


def _parsed(path: Path, parse: Any) -> Any:
    content = files.read_bytes(path, files.sha256(path))
    try:
        return parse(content)
    except Exception as error:  # whatever a parser makes of a hostile file
        text = " ".join(str(error).split())[:200]
        raise ArtifactError(f"{path}: cannot be parsed: {type(error).__name__}: {text}") from None


def check_layout(network: nn.Module, selection: Selection, source: str) -> None:
    """Refuse a selection whose tensors the network does not have, in the sizes before pruning.

    Raises
    ------
    ArtifactError
        Naming the selection's source.
    """
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    for kept in selection.groups:
        for slot in kept.group.slots:
            tensor = tensors.get(slot.tensor)
            sizes = () if tensor is None else tensor.shape[slot.axis : slot.axis + 1]
            if tuple(sizes) != (slot.size,):
                raise ArtifactError(
                    f"{source}: made for another network: expected {slot.tensor} with {slot.size} "
                    f"entries along axis {slot.axis} in {type(network).__name__} before pruning"
                )
        for reader in kept.group.readers:
            size = tensors[reader.weight].shape[reader.input_axis]
            inner = reader.groups if reader.input_axis > reader.output_axis else 1
            if reader.channels * reader.positions != size * inner:
                raise ArtifactError(
                    f"{source}: made for another network: expected {reader.weight} to read "
                    f"{reader.channels} channels in {reader.positions} places before pruning"
                )
