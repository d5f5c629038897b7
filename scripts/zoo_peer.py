"""Torch-Pruning on the networks of the zoo, the way its README and examples use it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch_pruning
from torch import nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from scripts.zoo_families import Batch
from scripts.zoo_oracle import output_tensors, tensors_in

PRUNING_RATIO = 0.5


class RefusedError(Exception):
    """Torch-Pruning could not build its dependency graph, or removed nothing."""


def modules(network: nn.Module) -> Iterator[Any]:
    """Of whatever library: their attributes have no common type."""
    return network.modules()


def ignored_layers(network: nn.Module, n_classes: int) -> list[nn.Module]:
    """Classifiers, and the projections inside PyTorch's attention, as its examples have it."""
    return [
        module
        for module in network.modules()
        if isinstance(module, NonDynamicallyQuantizableLinear)
        or (isinstance(module, nn.Linear) and module.out_features == n_classes)
        or (isinstance(module, nn.Conv2d) and module.out_channels == n_classes)
    ]


def heads(network: nn.Module) -> dict[nn.Module, int]:
    """The number of heads of every projection to queries, keys and values."""
    config = getattr(network, "config", None)
    n_heads: dict[nn.Module, int] = {}
    for module in modules(network):
        if hasattr(module, "q_proj") and config is not None:
            n_heads[module.q_proj] = config.num_attention_heads
            shared = getattr(config, "num_key_value_heads", config.num_attention_heads)
            n_heads[module.k_proj] = n_heads[module.v_proj] = shared
        elif hasattr(module, "num_heads") and isinstance(getattr(module, "qkv", None), nn.Linear):
            n_heads[module.qkv] = module.num_heads
        elif hasattr(module, "query") and hasattr(module, "num_attention_heads"):
            for projection in (module.query, module.key, module.value):
                n_heads[projection] = module.num_attention_heads
    return n_heads


def mend_attributes(network: nn.Module, n_heads: dict[nn.Module, int]) -> None:
    """Widths that forward passes read from attributes, as its examples set them after pruning."""
    for module in modules(network):
        if hasattr(module, "conv_proj") and hasattr(module, "hidden_dim"):
            module.hidden_dim = module.conv_proj.out_channels
        elif hasattr(module, "q_proj") and module.q_proj in n_heads:
            module.num_heads = module.q_proj.out_features // module.head_dim
            module.num_key_value_groups = module.num_heads // n_heads[module.k_proj]
        elif getattr(module, "qkv", None) in n_heads:
            module.num_heads = n_heads[module.qkv]
            module.head_dim = module.qkv.out_features // (3 * module.num_heads)
            if hasattr(module, "attn_dim"):
                module.attn_dim = module.num_heads * module.head_dim
        elif getattr(module, "query", None) in n_heads:
            module.num_attention_heads = n_heads[module.query]
            module.attention_head_size = module.query.out_features // module.num_attention_heads
            module.all_head_size = module.query.out_features


def prune_with_peer(network: nn.Module, batch: Batch) -> None:
    """Remove half of every group's channels, in place.

    Raises
    ------
    RefusedError
        If its dependency graph cannot be built. Whatever else it raises is a defect.
    """
    before = sum(parameter.numel() for parameter in network.parameters())
    n_heads = heads(network)
    rotary = any(hasattr(module, "q_proj") for module in network.modules())
    options: dict[str, Any] = {}
    if rotary:  # heads are removed whole, so that rotary embeddings keep their width
        options = {"prune_num_heads": True, "prune_head_dims": False, "head_pruning_ratio": 0.5}
    try:
        outputs = output_tensors(network.eval(), batch)
        axis = 1 if outputs[0].dim() == 4 else -1
        pruner = torch_pruning.pruner.BasePruner(
            network,
            batch if isinstance(batch, dict) else (batch,),
            importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
            pruning_ratio=PRUNING_RATIO,
            ignored_layers=ignored_layers(network, outputs[0].shape[axis]),
            num_heads=n_heads,
            output_transform=tensors_in,
            **options,
        )
    except Exception as error:  # its graph reading raises whatever it meets
        raise RefusedError(f"{type(error).__name__}: {error}") from error
    pruner.step()
    mend_attributes(network, pruner.num_heads)
    network.train()  # drops what some keep in eval mode
    if sum(parameter.numel() for parameter in network.parameters()) == before:
        raise RefusedError("nothing was removed")
