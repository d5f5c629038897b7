"""What every pruned network must equal: the original with zeros where removed channels are read."""

import copy
import dataclasses

import torch
from torch import nn
from torch.testing import assert_close

from mini_exp import load_pruned, prune, save_pruned
from tests.pruning.examples import assert_same, snapshot

NORMS = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


def flat(value):
    """All tensors of an output, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    if dataclasses.is_dataclass(value):
        value = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    if isinstance(value, dict):
        value = list(value.values())
    return [x for one in value for x in flat(one)] if isinstance(value, list | tuple) else []


def called(network, batch):
    """All tensors that the network makes of a batch, which may be arguments by name."""
    if isinstance(batch, dict):
        return flat(network(**batch))
    return flat(network(batch))


def all_outputs(network, batches):
    """In eval mode; the mode comes back."""
    modes = [module.training for module in network.modules()]
    network.eval()
    with torch.no_grad():
        results = [x for batch in batches for x in called(network, copy.deepcopy(batch))]
    for module, mode in zip(network.modules(), modes, strict=True):
        module.training = mode
    return results


def zeroed(network, selection, batches, everywhere=False, renewed=()):
    """The original in full size that does not read what was removed; batch norms by hand.

    Of attention, whose queries and keys no weight reads, it does not write it: ``everywhere``.
    Statistics of all samples go to the batch norms that are renewed.
    """
    full = copy.deepcopy(network)
    tensors = dict([*full.named_parameters(), *full.named_buffers()])
    for kept in selection.groups:
        removed = set(range(kept.group.width)) - set(kept.index_set.tolist())
        for slot in kept.group.slots:
            entries = [place for channel in sorted(removed) for place in slot.places[channel]]
            if (slot.reads or everywhere) and entries:
                tensors[slot.tensor].data.index_fill_(slot.axis, torch.tensor(entries), 0)
    if renewed:
        pool_batch_norms(full, batches, renewed)
    return full


def renewed_batch_norms(network, smaller):
    """Names of batch norms with other statistics than the original's."""
    norms = dict(network.named_modules())
    return [
        name
        for name, norm in smaller.named_modules()
        if isinstance(norm, NORMS)
        and norm.track_running_stats
        and not torch.isin(norm.running_var, norms[name].running_var).all()
    ]


def changed_batch_norms(network, full, batches):
    """Names of batch norms with statistics that are given something else in another network."""
    given = [{}, {}]
    for one, inputs in zip((network, full), given, strict=True):
        handles = [
            norm.register_forward_pre_hook(
                lambda _, x, name=name, inputs=inputs: inputs.update({name: x[0].clone()})
            )
            for name, norm in one.named_modules()
            if isinstance(norm, NORMS) and norm.track_running_stats
        ]
        all_outputs(one, batches)
        for handle in handles:
            handle.remove()
    return [name for name, x in given[0].items() if not torch.equal(x, given[1][name])]


def pool_batch_norms(network, batches, names):
    """Running statistics: mean and unbiased variance of all samples, batches by their own."""
    norms = [norm for name, norm in network.named_modules() if name in names]
    seen = {id(norm): [] for norm in norms}

    def normalised(norm, arguments, _):
        (x,) = arguments
        seen[id(norm)].append(x.transpose(0, 1).flatten(1))
        return nn.functional.batch_norm(x, None, None, norm.weight, norm.bias, True, 0.0, norm.eps)

    handles = [norm.register_forward_hook(normalised) for norm in norms]
    all_outputs(network, batches)
    for handle in handles:
        handle.remove()
    for norm in norms:
        values = torch.cat(seen[id(norm)], dim=1)
        norm.running_mean, norm.running_var = values.mean(dim=1), values.var(dim=1)


def size_of(kept, slot, selection):
    """Entries along an axis that are left: what no group has, and what they keep."""
    own = [
        (one, other)
        for one in selection.groups
        for other in one.group.slots
        if (other.tensor, other.axis) == (slot.tensor, slot.axis)
    ]
    removed = sum(
        len(other.places[channel])
        for one, other in own
        for channel in set(range(one.group.width)) - set(one.index_set.tolist())
    )
    return slot.size - removed


def assert_pruned_right(network, batches, tmp_path=None, *, keep=0.5, **options):
    """Prune, and look at everything that must hold of any network; the smaller network.

    float64: the order of sums is all that differs, 1e-9 of the largest output is 10⁷ roundings.
    """
    before = snapshot(network)
    smaller, selection = prune(network, batches, keep=keep, weights="slice", **options)
    assert_same(before, snapshot(network))
    attention = options.get("heads", False) or options.get("entries", False)
    renewed = renewed_batch_norms(network, smaller)
    full = zeroed(network, selection, batches, attention, renewed)
    if renewed:
        plain = zeroed(network, selection, batches, attention)
        assert renewed == changed_batch_norms(network, plain, batches)
    for expected, got in zip(
        all_outputs(full, batches), all_outputs(smaller, batches), strict=True
    ):
        assert_close(got, expected, rtol=1e-9, atol=1e-9 * largest(expected))
    for kept in selection.groups:
        assert kept.width == max(int(keep * kept.group.width + 0.5), 1)
        for slot in kept.group.slots:
            tensor = smaller.state_dict(keep_vars=True).get(slot.tensor)
            if tensor is not None:
                assert tensor.shape[slot.axis] == size_of(kept, slot, selection), slot.tensor
    assert_trains_as_before(network, smaller, batches)
    if tmp_path is not None:
        save_pruned(smaller, selection, tmp_path)
        loaded, _ = load_pruned(network, tmp_path)
        assert_same({"state": smaller.state_dict()}, {"state": loaded.state_dict()})
        for expected, got in zip(
            all_outputs(smaller, batches), all_outputs(loaded, batches), strict=True
        ):
            assert torch.equal(got, expected)
    return smaller, selection


def largest(x):
    return float(x.abs().max()) if x.numel() else 0.0


def assert_trains_as_before(network, smaller, batches):
    """What has a gradient in the original has one in the smaller network."""
    names = [trained(net, batches[0]) for net in (network, smaller)]
    assert names[0] == names[1]


def trained(network, batch):
    """Names of the parameters that a step would change; the network stays as it was."""
    network = copy.deepcopy(network).train()
    sum(x.sum() for x in called(network, copy.deepcopy(batch)) if x.is_floating_point()).backward()
    return [name for name, p in network.named_parameters() if p.grad is not None]
