"""Pruning by hooks and least squares, to compare with."""

import copy

import numpy as np
import torch
from torch import nn

from tests.pruning.examples import outputs, read_rows


def least_squares(rows, target, ridge):
    """A with the least ‖target − rows Aᵀ‖² + n w ‖A‖²."""
    w = np.sqrt(ridge * len(rows))
    k = rows.shape[1]
    solution, *_ = np.linalg.lstsq(
        np.vstack([rows, w * np.eye(k)]),
        np.vstack([target, np.zeros((k, target.shape[1]))]),
        rcond=None,
    )
    return solution.T


def naively_pruned(network, selection, batches, weights="reconstruct", intercept=False):
    """The original in full size, whose readers see zeros for the removed channels."""
    full = copy.deepcopy(network).eval()
    changed = {}
    for path in selection.groups:
        group, kept = path.group, sorted(path.index_path)
        if len(kept) == group.width:
            continue
        for key, rows in read_rows(network, batches, group).items():
            mean = rows.mean(axis=0) if intercept else np.zeros(group.width)
            phi = rows - mean
            a = np.zeros((group.width, group.width))
            if weights == "slice":
                a[kept, kept] = 1
            else:
                w = 1e-6 * (phi**2).mean(axis=0).sum() / group.width
                a[:, kept] = least_squares(phi[:, kept], phi, w)
            changed[key] = (group.width, a, mean - a @ mean)
    for key, (width, a, offset) in changed.items():
        module = full.get_submodule(key)
        weight = module.weight.detach().numpy()
        by_channel = weight.reshape(len(weight), width, -1)
        folded = np.zeros_like(by_channel)
        for q in range(by_channel.shape[2]):
            folded[:, :, q] = by_channel[:, :, q] @ a
        module.weight.data = torch.from_numpy(folded.reshape(weight.shape))
        if intercept:
            added = torch.from_numpy(by_channel.sum(axis=2) @ offset)
            module.bias = nn.Parameter(added if module.bias is None else module.bias + added)
    averaged = copy.deepcopy(full)
    average_batch_norms(averaged, batches, those_behind(network, full, batches))
    held_out = [x[len(x) - len(x) // 10 :] for x in batches]
    expected = outputs(network, held_out)
    errors = [(outputs(one, held_out) - expected).square().sum() for one in (full, averaged)]
    return averaged if errors[1] <= errors[0] else full


def those_behind(network, full, batches):
    """Names of batch norms that are given something else than in the original."""
    given = []
    for one in (network, full):
        inputs, handles = {}, []
        for name, module in one.named_modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                handles.append(
                    module.register_forward_hook(
                        lambda _, x, y, name=name, inputs=inputs: inputs.update({name: x[0]})
                    )
                )
        outputs(one, batches)
        for handle in handles:
            handle.remove()
        given.append(inputs)
    return [name for name, x in given[0].items() if not torch.equal(x, given[1][name])]


def average_batch_norms(network, batches, names=None):
    """Running statistics by hand: mean and unbiased variance of all samples."""
    norms = [
        module
        for name, module in network.named_modules()
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and (names is None or name in names)
    ]
    seen = {id(norm): [] for norm in norms}

    def normalise(norm, arguments, _):
        (x,) = arguments
        channels = x.transpose(0, 1).flatten(1)
        seen[id(norm)].append(channels)
        shape = (1, -1) + (1,) * (x.ndim - 2)
        y = x - channels.mean(dim=1).reshape(shape)
        y = y / torch.sqrt(channels.var(dim=1, correction=0).reshape(shape) + norm.eps)
        return y * norm.weight.reshape(shape) + norm.bias.reshape(shape) if norm.affine else y

    handles = [norm.register_forward_hook(normalise) for norm in norms]
    outputs(network, batches)
    for handle in handles:
        handle.remove()
    for norm in norms:
        norm.running_mean = torch.cat(seen[id(norm)], dim=1).mean(dim=1)
        norm.running_var = torch.cat(seen[id(norm)], dim=1).var(dim=1)
