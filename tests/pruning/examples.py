"""Small networks in float64, and what is read off them."""

from collections import defaultdict

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mini_exp.pruning.calibration import Example
from mini_exp.pruning.trace import channel_graph
from mini_exp.tasks.images.networks import _Block, digits_cnn

VECTOR, IMAGE = (6,), (2, 8, 8)


def written(forward, **modules):
    """A network with these modules and this forward(network, x)."""

    class Written(nn.Module):
        def __init__(self):
            super().__init__()
            for name, module in modules.items():
                setattr(self, name, module)

        def forward(self, *inputs, **named):
            return forward(self, *inputs, **named)

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


def graph_of(network, x):
    """The groups of a network that takes x, a tensor or arguments by name."""
    example = Example((), x) if isinstance(x, dict) else Example((x,), {})
    return channel_graph(network, example)


def module_of(tensor):
    """The module that holds a parameter or buffer."""
    return tensor.rpartition(".")[0]


def batch_norms(network, group):
    """Names of the batch norms in which a group has entries, in order."""
    modules = dict.fromkeys(slot.module for slot in group.slots)
    kinds = nn.BatchNorm1d | nn.BatchNorm2d
    return tuple(name for name in modules if isinstance(network.get_submodule(name), kinds))


def padded(module, x):
    """What the weights of a layer meet but for zeros: other padding is there before."""
    if getattr(module, "padding_mode", "zeros") == "zeros":
        return x
    return functional.pad(x, module._reversed_padding_repeated_twice, module.padding_mode)


def read_rows(network, batches, group):
    """What every reader of a group reads, image by image and position by position: rows of m."""
    seen = defaultdict(list)
    handles = [
        network.get_submodule(reader.module).register_forward_pre_hook(
            lambda module, arguments, named, key=reader.module: seen[key].append(
                padded(module, (*arguments, *named.values())[0].clone())
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
