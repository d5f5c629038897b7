"""How long pruning takes, beside Torch-Pruning's Taylor importance on the same images.

A part of `make benchmark`; alone, with PyTorch's threads as OMP_NUM_THREADS says:

    python -m scripts.benchmark_pruning

Networks of torchvision are left out where it is not installed. Weights are random and images
noise: speed is the same.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
import multiprocessing
import resource
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
import torch_pruning
from torch import Tensor, nn

from mini_exp import prune
from mini_exp.pruning.calibration import Example
from mini_exp.pruning.flattened import flattened_spectra
from mini_exp.pruning.graph import ChannelGraph
from mini_exp.pruning.trace import channel_graph
from mini_exp.spectral.greedy import greedy_path
from mini_exp.spectral.output_weight import output_aware_weight, scaled_output_matrix
from mini_exp.tasks.images.networks import ResNet, thesis_cnn

BATCH = 64


def seconds(action: Callable[[], object], repeats: int = 3) -> float:
    """Median wall-clock time of an action."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def show(name: str, measured: str, limit: str = "") -> None:
    print(f"{name:58} {measured:>12}  {limit}", flush=True)


def pruned_by_taylor(network: nn.Module, batches: list[Tensor], n_classes: int) -> None:
    """Half of every group removed by Torch-Pruning, its classifier left whole."""
    copied = copy.deepcopy(network)
    *_, last = (module for module in copied.modules() if isinstance(module, nn.Linear))
    pruner = torch_pruning.pruner.BasePruner(
        copied,
        batches[0][:1],
        torch_pruning.importance.GroupTaylorImportance(),
        pruning_ratio=0.5,
        ignored_layers=[last],
    )
    for x in batches:
        classes = torch.randint(0, n_classes, (len(x),))
        nn.functional.cross_entropy(copied(x), classes).backward()
    pruner.step()


def beside_taylor(name: str, network: nn.Module, x: Tensor, n_classes: int, repeats: int) -> None:
    """Both in turn, so that what else the machine does meets both."""
    batches = list(x.split(BATCH))
    ours, theirs = [], []
    for _ in range(repeats):
        ours.append(seconds(lambda: prune(network, batches, keep=0.5), 1))
        theirs.append(seconds(lambda: pruned_by_taylor(network, batches, n_classes), 1))
    own, other = statistics.median(ours), statistics.median(theirs)
    show(f"pruning {name}, {len(x)} images", f"{own:.2f} s")
    show("  over Torch-Pruning's Taylor", f"{own / other:.2f}", f"limit 1 ({other:.2f} s)")


def small_networks() -> None:
    """The thesis's CNN and a ResNet-20 on 2000 images of 32 × 32."""
    x = torch.randn(2000, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    beside_taylor("the thesis's CNN", thesis_cnn().eval(), x, 10, 5)
    taken = seconds(lambda: prune(ResNet(20).eval(), list(x.split(100)), keep=0.5))
    show("pruning a ResNet-20, 2000 images", f"{taken:.2f} s", "limit 5 s")


def large_networks() -> None:
    """Networks of torchvision on 64 and 512 images of 64 × 64."""
    if importlib.util.find_spec("torchvision") is None:
        print("torchvision is not installed: its networks are left out (extra zoo)")
        return
    models = importlib.import_module("torchvision.models")
    for name in ("resnet18", "resnet50", "vgg16"):
        network = getattr(models, name)().eval()
        for n in (64, 512):
            beside_taylor(name, network, torch.randn(n, 3, 64, 64), 1000, 1)


def wide_layer(m: int = 2048, picks: int = 1024) -> None:
    """The greedy path of a layer as wide as ResNet-50's last."""
    rng = np.random.default_rng(0)
    phi = np.maximum(rng.standard_normal((2 * m, m)), 0)
    z, _ = scaled_output_matrix(rng.standard_normal((m // 2, m)))
    weight = output_aware_weight(z, 0.5)
    taken = seconds(lambda: greedy_path(phi.T @ phi / len(phi), weight, n_picks=picks))
    show(f"greedy selection, m = {m}, {picks} picks", f"{taken:.2f} s", "limit 2 s")


def whole_layer() -> None:
    """The spectrum of the thesis's 32 768 units, in a process of its own for its memory."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        taken, memory = pool.apply(flattened)
    show("degrees of freedom of 32 768 units, 2000 images", f"{taken:.1f} s", "limit 6 s")
    show("  memory above network and images", f"{memory:.0f} MB", "limit 300 MB")


def flattened() -> tuple[float, float]:
    """Seconds and megabytes for the spectrum of the first layer."""
    x = torch.randn(2000, 3, 32, 32)
    network = thesis_cnn().eval()
    graph = channel_graph(network, Example((x[:1],), {}))
    first = ChannelGraph(graph.groups[:1], graph.layers)
    batches = x.split(100)
    flattened_spectra(network, first, batches[:1])  # what libraries allocate once
    before = peak_megabytes()
    start = time.perf_counter()
    flattened_spectra(network, first, batches)
    return time.perf_counter() - start, peak_megabytes() - before


def memory() -> None:
    """The peak memory of a process that prunes a large network."""
    if importlib.util.find_spec("torchvision") is None:
        return
    for name in ("resnet50", "vit_b_16"):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            taken, megabytes = pool.apply(pruned_at_full_size, (name,))
        show(f"pruning {name}, 256 images of 224 × 224", f"{taken:.0f} s")
        show("  peak memory of the process", f"{megabytes:.0f} MB", "limit 8000 MB")


def pruned_at_full_size(name: str) -> tuple[float, float]:
    """Seconds and peak megabytes, images a batch at a time as a DataLoader gives them."""
    network = getattr(importlib.import_module("torchvision.models"), name)().eval()
    warnings.simplefilter("ignore")

    def run(copied: nn.Module) -> None:
        generator = torch.Generator().manual_seed(0)
        for _ in range(256 // 32):
            copied(torch.randn(32, 3, 224, 224, generator=generator))

    start = time.perf_counter()
    prune(network, run, keep=0.5)
    return time.perf_counter() - start, peak_megabytes()


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def pruning() -> None:
    """Every line."""
    warnings.simplefilter("ignore", UserWarning)  # 64 images cannot tell 1024 channels apart
    small_networks()
    wide_layer()
    whole_layer()
    large_networks()
    memory()


if __name__ == "__main__":
    pruning()
