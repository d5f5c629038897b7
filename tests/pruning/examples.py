"""Small networks in float64, and naive pruning of them by hooks and least squares."""

import copy
from collections import defaultdict

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mini_exp.image_networks import _Block, digits_cnn

VECTOR, IMAGE = (6,), (2, 8, 8)


def written(forward, **modules):
    """A network with these modules and this forward(network, x)."""

    class Written(nn.Module):
        def __init__(self):
            super().__init__()
            for name, module in modules.items():
                setattr(self, name, module)

        def forward(self, x):
            return forward(self, x)

    return Written()


class PreActivation(nn.Module):
    def __init__(self, width_in, width, stride):
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(width_in), nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        same = stride == 1 and width_in == width
        self.shortcut = None if same else nn.Conv2d(width_in, width, 1, stride, bias=False)

    def forward(self, x):
        inside = functional.relu(self.norm1(x))
        y = self.conv2(functional.relu(self.norm2(self.conv1(inside))))
        return y + (x if self.shortcut is None else self.shortcut(inside))


def mlp(bias=True):
    return nn.Sequential(
        nn.Linear(6, 8, bias),
        nn.ReLU(),
        nn.Linear(8, 7, bias),
        nn.Tanh(),
        nn.Linear(7, 3, bias),
    )


def mlp_norm():
    return nn.Sequential(
        *(nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.4)),
        *(nn.Linear(8, 7), nn.BatchNorm1d(7, affine=False), nn.Sigmoid(), nn.Linear(7, 3)),
    )


def cnn():
    return nn.Sequential(
        *(nn.Conv2d(2, 6, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Conv2d(6, 5, 3, dilation=2, padding=2, padding_mode="reflect"), nn.GELU()),
        *(nn.MaxPool2d(2), nn.Dropout2d(0.2), nn.Flatten(), nn.Linear(20, 6), nn.PReLU()),
        nn.Linear(6, 3),
    )


def cnn_norm():
    return nn.Sequential(
        *(nn.BatchNorm2d(2), nn.Conv2d(2, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU()),
        *(nn.AvgPool2d(2), nn.Conv2d(6, 5, 3, padding="same"), nn.SiLU()),
        *(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(20, 3)),
    )


def pre_activation():
    return nn.Sequential(
        *(nn.Conv2d(2, 4, 3, padding=1), PreActivation(4, 4, 1), PreActivation(4, 6, 2)),
        *(PreActivation(6, 6, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1)),
        *(nn.Flatten(), nn.Linear(6, 3)),
    )


def post_activation():
    return nn.Sequential(
        *(nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU()),
        *(_Block(4, 4, 1), _Block(4, 6, 2), _Block(6, 6, 1)),
        *(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(6, 3)),
    )


def residual_mlp():
    def forward(net, x):
        x = net.a(x)
        x = x + net.c(torch.relu(net.b(x)))
        return net.out(x)

    return written(
        forward, a=nn.Linear(6, 8), b=nn.Linear(8, 5), c=nn.Linear(5, 8), out=nn.Linear(8, 3)
    )


def residual_in_place():
    def forward(net, x):
        x = net.a(x)
        x += net.c(net.b(x).relu())
        return net.out(x)

    return written(
        forward, a=nn.Linear(6, 8), b=nn.Linear(8, 5), c=nn.Linear(5, 8), out=nn.Linear(8, 3)
    )


def onto_itself():
    """A layer that reads and writes the same group."""

    def forward(net, x):
        x = torch.relu(net.a(x))
        return net.out(x + torch.relu(net.b(x)))

    return written(forward, a=nn.Linear(6, 8), b=nn.Linear(8, 8), out=nn.Linear(8, 3))


def nested():
    def forward(net, x):
        x = torch.relu(net.a(x))
        y = net.b(x)
        y = y + net.d(torch.relu(net.c(y)))
        return net.out((x + net.e(torch.relu(y))).flatten(1))

    return written(
        forward,
        a=nn.Conv2d(2, 6, 3, 2, 1),
        b=nn.Conv2d(6, 5, 1),
        c=nn.Conv2d(5, 4, 3, padding=1),
        d=nn.Conv2d(4, 5, 1),
        e=nn.Conv2d(5, 6, 1),
        out=nn.Linear(96, 3),
    )


def two_readers():
    def forward(net, x):
        x = torch.relu(net.a(x))
        return net.out(torch.relu(net.b(x) + net.c(x).relu()))

    return written(
        forward, a=nn.Linear(6, 8), b=nn.Linear(8, 5), c=nn.Linear(8, 5), out=nn.Linear(5, 3)
    )


def read_twice():
    """A convolution and, flattened, a linear layer read the same channels."""

    def forward(net, x):
        x = functional.max_pool2d(functional.relu(net.a(x)), 2)
        return net.out(torch.relu(net.b(x)).mean((2, 3))) + net.c(x.flatten(1))

    return written(
        forward,
        a=nn.Conv2d(2, 5, 3),
        b=nn.Conv2d(5, 4, 2),
        c=nn.Linear(45, 3),
        out=nn.Linear(4, 3),
    )


def scaled():
    def forward(net, x):
        x = functional.dropout(torch.relu(net.a(x)) * 0.5 + 1, 0.3, net.training)
        return net.out(torch.div(torch.add(x, 1), 2))

    return written(forward, a=nn.Linear(6, 8), out=nn.Linear(8, 3))


NETWORKS = {
    "mlp": (mlp, VECTOR),
    "mlp without bias": (lambda: mlp(bias=False), VECTOR),
    "mlp, batch norm": (mlp_norm, VECTOR),
    "cnn": (cnn, IMAGE),
    "cnn, batch norm": (cnn_norm, IMAGE),
    "digits": (digits_cnn, (1, 8, 8)),
    "pre-activation": (pre_activation, IMAGE),
    "post-activation": (post_activation, IMAGE),
    "residual mlp": (residual_mlp, VECTOR),
    "residual in place": (residual_in_place, VECTOR),
    "onto itself": (onto_itself, VECTOR),
    "nested": (nested, IMAGE),
    "two readers": (two_readers, VECTOR),
    "read twice": (read_twice, IMAGE),
    "scaled": (scaled, VECTOR),
}
CHAINS = ["mlp", "mlp without bias", "mlp, batch norm", "cnn", "cnn, batch norm", "digits"]


def randomised(network, seed=0):
    """In float64, with weights drawn anew and batch norms that have seen something."""
    torch.manual_seed(seed)
    network = network.double()
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.reset_parameters()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias)
    return network


def example(name, n=80, seed=0):
    """A network in eval mode, and batches of 16 for it."""
    make, shape = NETWORKS[name]
    network = randomised(make(), seed).eval()
    generator = torch.Generator().manual_seed(seed + 1)
    return network, list(torch.randn(n, *shape, generator=generator).double().split(16))


def outputs(network, batches):
    """In eval mode; the mode comes back."""
    training = network.training
    network.eval()
    with torch.no_grad():
        result = torch.cat([network(x) for x in batches])
    network.train(training)
    return result


def snapshot(network):
    """All that pruning could change in a network."""
    return {
        "state": {name: tensor.clone() for name, tensor in network.state_dict().items()},
        "ids": {name: id(parameter) for name, parameter in network.named_parameters()},
        "grads": {name: p.requires_grad for name, p in network.named_parameters()},
        "modes": {name: module.training for name, module in network.named_modules()},
        "hooks": sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network.modules()),
        "settings": {
            name: {
                key: value
                for key, value in vars(module).items()
                if isinstance(value, int | float | str | None)
            }
            for name, module in network.named_modules()
        },
    }


def assert_same(before, after):
    assert before["state"].keys() == after["state"].keys()
    for name, tensor in before["state"].items():
        assert torch.equal(tensor, after["state"][name]), name
    for key in before.keys() - {"state"}:
        assert before[key] == after[key], key


def read_rows(network, batches, group):
    """What every reader of a group reads, image by image and position by position: rows of m."""
    seen = defaultdict(list)
    handles = [
        network.get_submodule(reader.module).register_forward_pre_hook(
            lambda _, arguments, named, key=reader.module: seen[key].append(
                (*arguments, *named.values())[0].clone()
            ),
            with_kwargs=True,
        )
        for reader in group.readers
    ]
    outputs(network, batches)
    for handle in handles:
        handle.remove()
    return {
        key: np.concatenate([t.reshape(len(t), group.width, -1) for t in tensors])
        .transpose(0, 2, 1)
        .reshape(-1, group.width)
        for key, tensors in seen.items()
    }


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
    if changed:
        average_batch_norms(full, batches)
    return full


def average_batch_norms(network, batches):
    """Running statistics by hand: the mean over batches of means and unbiased variances."""
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    sums = {id(norm): [0.0, 0.0] for norm in norms}

    def normalise(norm, arguments, _):
        (x,) = arguments
        channels = x.transpose(0, 1).flatten(1)
        sums[id(norm)][0] = sums[id(norm)][0] + channels.mean(dim=1)
        sums[id(norm)][1] = sums[id(norm)][1] + channels.var(dim=1)
        shape = (1, -1) + (1,) * (x.ndim - 2)
        y = x - channels.mean(dim=1).reshape(shape)
        y = y / torch.sqrt(channels.var(dim=1, correction=0).reshape(shape) + norm.eps)
        return y * norm.weight.reshape(shape) + norm.bias.reshape(shape) if norm.affine else y

    handles = [norm.register_forward_hook(normalise) for norm in norms]
    outputs(network, batches)
    for handle in handles:
        handle.remove()
    for norm in norms:
        norm.running_mean = sums[id(norm)][0] / len(batches)
        norm.running_var = sums[id(norm)][1] / len(batches)
