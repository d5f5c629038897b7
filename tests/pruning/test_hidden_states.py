"""What a caller does not see: inference mode, gradients, what is left of an iterable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from mini_exp import load_pruned, prune, save_pruned


class Buffered(nn.Module):
    """With a buffer that no state dict holds."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.norm, self.b = nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2, bias=False)
        self.register_buffer("scale", torch.ones(4), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.b(self.norm(self.a(x * self.scale)).relu())
        return out


X = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
OPTIONS = ({}, {"intercept": True}, {"weights": "slice"}, {"refit": True}, {"sequential": True})


def trained_step(network: nn.Module) -> None:
    """One step of training changes every parameter that asks for a gradient."""
    network.eval()  # else a batch norm hides the bias before it
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    optimizer = torch.optim.SGD(network.parameters(), 1.0)
    (network(X) ** 2).mean().backward()
    optimizer.step()
    for name, parameter in network.named_parameters():
        assert parameter.requires_grad
        assert not torch.equal(parameter, before[name]), name


def pruned(made: bool, called: bool, loaded: bool, folder: Path, **options: object) -> nn.Module:
    """A pruned network of which the steps were done in inference mode or not."""
    with torch.inference_mode(made):
        torch.manual_seed(0)
        network = Buffered()
    with torch.inference_mode(called):
        smaller, selection = prune(network, [X], keep=0.5, **options)
        save_pruned(smaller, selection, folder)
    if not loaded:
        return smaller
    with torch.inference_mode(called):
        again, _ = load_pruned(network, folder)
    return again


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("called", [False, True])
@pytest.mark.parametrize("made", [False, True])
def test_a_pruned_network_can_be_trained(tmp_path, made, called, loaded, options):
    trained_step(pruned(made, called, loaded, tmp_path, **options))


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("frozen", [(), ("b",), ("a",), ("a", "b")])
def test_added_biases_follow_their_layer(tmp_path, frozen, loaded):
    network = Buffered()
    for name in frozen:
        network.get_submodule(name).requires_grad_(False)
    smaller, selection = prune(network, [X], keep=0.5, intercept=True)
    if loaded:
        save_pruned(smaller, selection, tmp_path)
        smaller, _ = load_pruned(network, tmp_path)
    assert smaller.b.bias is not None
    for name in ("a", "b"):
        layer = smaller.get_submodule(name)
        expected = name not in frozen
        assert [p.requires_grad for p in layer.parameters()] == [expected, expected], name


class Source:
    """Counts what is taken from it."""

    def __init__(self) -> None:
        self.parts = X.split(20)
        self.taken = 0

    def __iter__(self) -> Iterator[Tensor]:
        for part in self.parts[self.taken :]:
            self.taken += 1
            yield part


class Stream(IterableDataset):
    def __init__(self) -> None:
        self.source = Source()

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.source)


class ItsOwnIterator(Source):
    def __iter__(self) -> ItsOwnIterator:
        return self

    def __next__(self) -> Tensor:
        if self.taken == len(self.parts):
            raise StopIteration
        self.taken += 1
        return self.parts[self.taken - 1]


class OfKnownLength(ItsOwnIterator):
    def __len__(self) -> int:
        return len(self.parts)


ONCE = {
    "a generator": lambda: iter(Source()),
    "a map": lambda: map(torch.clone, X.split(20)),
    "a zip": lambda: zip(X.split(20), X.split(20), strict=True),
    "an object that goes on where it was": Source,
    "its own iterator": ItsOwnIterator,
    "its own iterator of known length": OfKnownLength,
    "a loader of a stream": lambda: DataLoader(Stream(), batch_size=None),
    "a list": lambda: list(X.split(20)),
    "a tuple": lambda: X.split(20),
    "a loader": lambda: DataLoader(TensorDataset(X), batch_size=20),
}
SEVERAL_PASSES = ({}, {"sequential": True}, {"refit": True}, {"progress": True})


@pytest.mark.parametrize("options", SEVERAL_PASSES, ids=str)
@pytest.mark.parametrize("case", ONCE)
def test_an_iterable_gives_what_a_list_gives(case, options, capsys):
    torch.manual_seed(0)
    network = Buffered()
    expected, _ = prune(network, list(X.split(20)), keep=0.5, **options)
    smaller, _ = prune(network, ONCE[case](), keep=0.5, **options)
    for name, value in expected.state_dict().items():
        assert torch.equal(smaller.state_dict()[name], value), name


def test_a_stream_is_read_once():
    source = Source()
    prune(Buffered(), source, keep=0.5, sequential=True)
    assert source.taken == 3
