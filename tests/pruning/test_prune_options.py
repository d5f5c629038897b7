import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

from mini_exp import prune
from mini_exp.errors import NetworkError
from tests.pruning.examples import (
    example,
    outputs,
    randomised,
    residual_in_place,
    residual_mlp,
    written,
)
from tests.pruning.pruned import assert_as_naive, images, vectors


def test_sequential_equals_least_squares_on_the_pruned_network():
    network, (x, *_) = example("mlp")
    smaller, selection = prune(network, [x], keep=0.5, ridge=0.0, sequential=True)
    first, second = (path.index_set for path in selection.groups)
    w1, w2, w3 = (network[i].weight.detach().numpy() for i in (0, 2, 4))
    b1, b2, b3 = (network[i].bias.detach().numpy() for i in (0, 2, 4))
    phi = np.maximum(x.numpy() @ w1.T + b1, 0)
    a, *_ = np.linalg.lstsq(phi[:, first], phi, rcond=None)
    psi = np.tanh(phi[:, first] @ a @ w2.T + b2)
    b, *_ = np.linalg.lstsq(psi[:, second], np.tanh(phi @ w2.T + b2), rcond=None)
    expected = psi[:, second] @ b @ w3.T + b3
    assert_close(outputs(smaller, [x]).numpy(), expected, rtol=1e-8, atol=1e-9)


def test_refit_equals_least_squares_on_patches():
    network = nn.Sequential(
        *(nn.Conv2d(2, 5, 3), nn.ReLU(), nn.Conv2d(5, 4, 3, stride=2, padding=1, dilation=2)),
        *(nn.Flatten(), nn.Linear(16, 3)),
    )
    network, x = randomised(network), images(30).double()
    smaller, selection = prune(network, [x], widths={"0": 3}, ridge=0.0, refit=True)
    kept = selection.groups[0].index_set
    with torch.no_grad():
        phi = functional.pad(torch.relu(network[0](x)), (1, 1, 1, 1))
        target = network[2](torch.relu(network[0](x))) - network[2].bias[:, None, None]
        rows, wanted = [], []
        for image in range(len(x)):
            for i in range(2):
                for j in range(2):
                    rows.append(phi[image, kept, 2 * i : 2 * i + 5 : 2, 2 * j : 2 * j + 5 : 2])
                    wanted.append(target[image, :, i, j])
    rows = torch.stack(rows).flatten(1).numpy()
    solution, *_ = np.linalg.lstsq(rows, torch.stack(wanted).numpy(), rcond=None)
    expected = solution.T.reshape(4, 3, 3, 3)
    assert_close(smaller[2].weight.detach().numpy(), expected, rtol=1e-6, atol=1e-8)


def test_refit_of_a_linear_layer_equals_least_squares_on_pixels():
    network = nn.Sequential(nn.Conv2d(2, 4, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
    network, x = randomised(network), images(40).double()
    smaller, selection = prune(network, [x], keep=0.5, ridge=0.0, refit=True)
    kept = selection.groups[0].index_set
    with torch.no_grad():
        phi = torch.relu(network[0](x))
        target = network(x) - network[3].bias
    rows = phi[:, kept].flatten(1).numpy()
    solution, *_ = np.linalg.lstsq(rows, target.numpy(), rcond=None)
    assert_close(smaller[3].weight.detach().numpy(), solution.T, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", ["mlp", "residual mlp", "two readers"])
def test_refit_is_the_same_where_a_channel_has_one_weight(name):
    network, batches = example(name)
    expected, _ = prune(network, batches, keep=0.5)
    smaller, _ = prune(network, batches, keep=0.5, refit=True, ridge=1e-6)
    assert_close(outputs(smaller, batches), outputs(expected, batches), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("options", [{"refit": True}, {"sequential": True}])
@pytest.mark.parametrize("name", ["cnn, batch norm", "pre-activation", "nested"])
def test_refit_and_sequential_run_everywhere(name, options):
    network, batches = example(name)
    if name == "cnn, batch norm" and "refit" in options:
        network[5].padding, network[5].padding_mode = 1, "zeros"
        network[9] = nn.Linear(20, 3).double()
    smaller, _ = prune(network, batches, keep=0.5, **options)
    assert torch.isfinite(outputs(smaller, batches)).all()


def test_refit_names_the_convolution_that_it_does_not_cover():
    network = nn.Sequential(
        *(nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 3, padding="same"), nn.Flatten(), nn.Linear(144, 2))
    )
    with pytest.raises(NetworkError, match="prune: refit: 1: expected a convolution with padding"):
        prune(network, [images()], keep=0.5, refit=True)


@pytest.mark.parametrize(
    "options", [{}, {"sequential": True}, {"sequential": True, "refit": True}], ids=str
)
def test_a_sum_in_place_is_a_sum(options):
    expected, in_place = (randomised(make()).eval() for make in (residual_mlp, residual_in_place))
    x = [vectors(100).double()]
    assert torch.equal(outputs(expected, x), outputs(in_place, x))
    smaller, other = (prune(net, x, keep=0.5, **options)[0] for net in (expected, in_place))
    assert_close(outputs(other, x), outputs(smaller, x), rtol=1e-9, atol=1e-9)


def test_a_tensor_that_changes_between_two_readers_counts_as_two():
    def forward(net, x):
        x = net.a(x)
        before = net.b(x)
        x.relu_()
        return net.out(before + net.c(x))

    layers = {
        "a": nn.Linear(6, 8),
        "b": nn.Linear(8, 5),
        "c": nn.Linear(8, 5),
        "out": nn.Linear(5, 3),
    }
    selection = assert_as_naive(written(forward, **layers), vectors())
    assert len({reader.tensor for reader in selection.groups[0].group.readers}) == 2


def test_dropout_times_the_kept_share():
    network, batches = example("digits")
    smaller, _ = prune(network, batches, keep=0.25, rescale_dropout=True)
    assert [smaller.dropout1.p, smaller.dropout2.p, smaller.dropout3.p] == [0.0625, 0.0625, 0.125]
    smaller, _ = prune(network, batches, keep=0.25)
    assert [smaller.dropout1.p, smaller.dropout2.p, smaller.dropout3.p] == [0.25, 0.25, 0.5]
    assert network.dropout3.p == 0.5


def test_a_shared_dropout_is_rescaled_once():
    def forward(net, x):
        x = net.drop(torch.relu(net.a(x)))
        return net.out(net.drop(torch.relu(net.b(x))))

    layers = {
        "a": nn.Linear(6, 8),
        "b": nn.Linear(8, 8),
        "out": nn.Linear(8, 3),
        "drop": nn.Dropout(0.5),
    }
    smaller, _ = prune(written(forward, **layers), [vectors()], keep=0.5, rescale_dropout=True)
    assert smaller.drop.p == 0.25


def test_theta_1_does_not_look_at_the_readers():
    network, batches = example("mlp")
    _, expected = prune(network, batches, keep=0.5, theta=1)
    network[2].weight.data[:, :4] *= 100
    _, selection = prune(network, batches, widths={"0": 4}, theta=1)
    assert selection.index_sets["0"] == expected.index_sets["0"]
    _, selection = prune(network, batches, widths={"0": 4}, theta=0)
    assert selection.index_sets["0"] == [0, 1, 2, 3]


def test_refit_shrinks_where_samples_are_few():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 24, 3), nn.ReLU(), nn.Conv2d(24, 4, 3), nn.Flatten()
    ).eval()
    x, fresh = torch.randn(2, 8, 1, 10, 10)
    errors = []
    for ridge in (None, 1e-6):  # 512 patches for 108 weights of each of four outputs
        smaller, _ = prune(network, x, keep=0.5, refit=True, ridge=ridge)
        with torch.no_grad():
            errors.append(float((smaller(fresh) - network(fresh)).square().mean()))
    assert errors[0] < errors[1]
