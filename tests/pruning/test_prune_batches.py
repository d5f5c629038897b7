import pytest
import torch
from torch import nn
from torch.testing import assert_close

from mini_exp import prune
from mini_exp.errors import DomainError, MiniExpError, NetworkError, ShapeError
from tests.pruning.examples import cnn, example, mlp, outputs, randomised, written
from tests.pruning.pruned import assert_refused, images, vectors


class Repeated:
    """What a user's own data set may be: iterable again and again, no list."""

    def __init__(self, x):
        self.x = x

    def __iter__(self):
        yield from self.x.split(7)


BATCHES = {
    "list": lambda x: [x],
    "tuple": lambda x: (x[:9], x[9:]),
    "pairs": lambda x: [(x, torch.zeros(len(x)))],
    "lists": lambda x: [[x, 1]],
    "one tensor": lambda x: x,
    "mappings": lambda x: [{"input": x[:7]}, {"input": x[7:]}],
    "one mapping": lambda x: {"input": x},
    "a function": lambda x: lambda network: [network(part) for part in x.split(7)],
    "generator": lambda x: (part for part in x.split(7)),
    "map": lambda x: map(torch.clone, x.split(7)),
    "iterable": Repeated,
    "loader": lambda x: torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(x, torch.zeros(len(x))), 7
    ),
}


@pytest.mark.parametrize("options", [{}, {"sequential": True, "refit": True}], ids=str)
@pytest.mark.parametrize("batches", BATCHES.values(), ids=BATCHES)
def test_forms_of_batches(batches, options):
    network, _ = example("mlp")
    x = vectors().double()
    expected, _ = prune(network, [x], keep=0.5, **options)
    smaller, _ = prune(network, batches(x), keep=0.5, **options)
    assert_close(outputs(smaller, [x]), outputs(expected, [x]), rtol=1e-8, atol=1e-9)


NO_BATCHES = {
    "none": ([], DomainError, "at least one calibration batch, got none"),
    "of no sample": ([vectors(0)], MiniExpError, "prune: "),
    "wrong width": ([vectors(4, 7)], NetworkError, r"does not take a batch \(\d, 7\)"),
    "wrong width later": ([vectors(), vectors(4, 7)], NetworkError, r"a batch \(4, 7\)"),
    "wrong type": ([vectors().double()], NetworkError, "of torch.float64"),
    "whole numbers": ([torch.ones(4, 6, dtype=torch.int64)], NetworkError, "of torch.int64"),
    "a number": ([torch.tensor(1.0)], MiniExpError, "prune: .*batch"),
    "an array": ([vectors().numpy()], ShapeError, "batches of tensors.*got ndarray"),
    "a mapping": ([{"x": vectors()}], NetworkError, "does not take a batch .*argument 'x'"),
    "a mapping of none": ([{"x": 3}], ShapeError, "batches with a tensor among their values"),
    "an empty tuple": ([()], ShapeError, "batches of tensors.*got tuple"),
    "None": (None, MiniExpError, "prune: .*batch"),
    "an integer": (5, MiniExpError, "prune: .*batch"),
    "NaN": ([vectors() * torch.nan], DomainError, "not finite"),
    "infinite": ([vectors() * torch.inf], DomainError, "not finite"),
}


@pytest.mark.parametrize(("batches", "error", "match"), NO_BATCHES.values(), ids=NO_BATCHES)
def test_no_batches(batches, error, match, capfd):
    assert_refused(lambda: prune(mlp(), batches, keep=0.5), error, match, capfd)


@pytest.mark.parametrize(
    "x", [images(4, (3, 8, 8)), images(4, (2, 12, 12)), images(4)[0], images(4).double()]
)
def test_images_that_do_not_fit(x, capfd):
    match = r"does not take a batch \((\d+, )*\d+\) of torch.float\d\d: (?!ShapeProp)"
    assert_refused(lambda: prune(cnn(), [x], keep=0.5), NetworkError, match, capfd)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_an_empty_batch_among_others(position):
    network, (x, y, *_) = example("mlp")
    batches = [x, y]
    expected, _ = prune(network, batches, keep=0.5)
    smaller, _ = prune(network, [*batches[:position], x[:0], *batches[position:]], keep=0.5)
    assert_close(outputs(smaller, [x]), outputs(expected, [x]))


@pytest.mark.parametrize("name", ["mlp, batch norm", "bottleneck"])
def test_a_last_batch_of_one_sample(name):
    if name == "bottleneck":
        network = nn.Sequential(
            *(nn.Conv2d(2, 6, 8), nn.BatchNorm2d(6), nn.Flatten(), nn.Linear(6, 3))
        )
        network, x = randomised(network), images(33).double()
    else:
        network, batches = example(name)
        x = torch.cat(batches)[:33]
    smaller, _ = prune(network, list(x.split(16)), keep=0.5)
    assert torch.isfinite(outputs(smaller, [x])).all()


def test_a_batch_norm_without_statistics():
    network = nn.Sequential(
        nn.Linear(6, 8),
        nn.BatchNorm1d(8, track_running_stats=False),
        nn.ReLU(),
        nn.Linear(8, 3),
    )
    smaller, _ = prune(network, [vectors()], keep=0.5)
    assert len(smaller[1].weight) == 4


def test_images_of_several_sizes_where_the_network_takes_them():
    network = nn.Sequential(
        *(nn.Conv2d(2, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 3))
    )
    smaller, _ = prune(network, [images(), images(3, (2, 12, 10))], keep=0.5)
    assert smaller[0].out_channels == 3


# Too few samples


def test_one_sample_without_an_axis_of_them_is_too_few():
    with pytest.warns(UserWarning, match="0: 1 calibration samples.*4 channels"):
        prune(mlp(), [vectors()[0]], widths={"0": 4, "2": 1})


def test_too_few_samples_warn_with_the_number_needed():
    network = nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 3))
    with pytest.warns(UserWarning, match="0: 9 calibration samples.*10 channels.*at least 10"):
        smaller, _ = prune(network, [vectors(9)], keep=0.5)
    assert smaller[0].out_features == 10
    assert torch.isfinite(outputs(smaller, [vectors()])).all()


def test_the_warning_points_at_the_caller():
    network = nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 3))
    with pytest.warns(UserWarning, match="calibration samples") as record:
        prune(network, [vectors(9)], keep=0.5)
    assert record[0].filename == __file__


def test_as_many_samples_as_channels_are_enough_to_be_silent():
    prune(nn.Sequential(nn.Linear(6, 20), nn.Linear(20, 3)), [vectors(10)], keep=0.5)
    network = nn.Sequential(nn.Conv2d(2, 20, 3), nn.Flatten(), nn.Linear(720, 3))
    prune(network, [images(1)], keep=1.0)  # 36 positions


def test_too_few_samples_for_tied_channels():
    def forward(net, x):
        x = torch.relu(net.a(x))
        x = x + net.c(torch.relu(net.b(x)))
        x = x + net.e(torch.relu(net.d(x)))
        return net.out(x)

    network = written(
        forward,
        a=nn.Linear(6, 40),
        b=nn.Linear(40, 5),
        c=nn.Linear(5, 40),
        d=nn.Linear(40, 5),
        e=nn.Linear(5, 40),
        out=nn.Linear(40, 3),
    )
    with pytest.warns(UserWarning, match="a: 12 calibration samples.*30 channels"):
        prune(network, [vectors(12)], widths={"a": 30})
