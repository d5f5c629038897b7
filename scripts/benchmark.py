"""Speed, measured side by side on this machine: `make benchmark`.

Every line is a ratio, or a time beside the limit it is held to. Medians of several runs. With
`--study`, how the study's cost grows from 100 to 10 000 replicates (of a cheap experiment).
"""

from __future__ import annotations

import copy
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mini_exp.seeds import generator
from mini_exp.spectral import Floats, Integers
from mini_exp.spectral.greedy import greedy_path
from mini_exp.spectral.output_weight import output_aware_weight, scaled_output_matrix
from mini_exp.study.costs import naive_information_ratio
from mini_exp.tasks.mini.data import mini_dataset
from mini_exp.tasks.mini.network import MiniModel, initial_stack
from mini_exp.tasks.mini.training import (
    ADAM_BETAS,
    ADAM_EPSILON,
    sample_orders,
    trained_stack,
    training_epochs,
)
from mini_exp.tasks.task import Samples
from mini_exp.tasks.threads import one_thread
from scripts.benchmark_pruning import pruning, seconds, show

ROOT = Path(__file__).parent.parent
BATCH = 100
LEARNING_RATE = 1e-3
SAMPLES_PER_STEP = 32
MINI_EXP = (sys.executable, "-m", "mini_exp")


def command(*arguments: str) -> Callable[[], object]:
    """A process whose output is dropped; bad exit codes are meant where they occur."""
    return lambda: subprocess.run(arguments, cwd=ROOT, capture_output=True, check=False)


def command_line() -> None:
    """Start-up, a run from nothing and a run with every step fresh."""
    show("mini-exp --help", f"{seconds(command(*MINI_EXP, '--help')):.2f} s", "at most 0.3 s")
    bad = seconds(command(*MINI_EXP, "run", "configs/mini.yaml", "--set", "train.epoch=1"))
    show("a bad config's error", f"{bad:.2f} s", "at most 0.3 s")
    imports = "import torch, scipy.optimize, pandas, matplotlib.pyplot"
    yardstick = seconds(command(sys.executable, "-c", imports))
    with tempfile.TemporaryDirectory() as folder:
        run = (*MINI_EXP, "run", "configs/mini.yaml", "--results")
        whole = [seconds(command(*run, f"{folder}/{i}"), repeats=1) for i in range(3)]
        fresh = seconds(command(*run, f"{folder}/0"))
    show("importing torch, scipy.optimize, pandas, pyplot", f"{yardstick:.2f} s")
    show("mini-exp run configs/mini.yaml, from nothing", f"{statistics.median(whole):.2f} s")
    ratio = statistics.median(whole) / yardstick
    show("  as a multiple of those imports", f"{ratio:.1f}", "at most 8")
    show("mini-exp run configs/mini.yaml, every step fresh", f"{fresh:.2f} s", "at most 1 s")


def signals(moments: int = 10) -> None:
    """From a signal at a random moment until neither the process nor a worker of it is left."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's would ignore it
    rng = np.random.default_rng(1701)
    for name, latest in (("run", 5.0), ("study", 10.0)):
        for number in (signal.SIGINT, signal.SIGTERM):
            times: list[float] = []
            while len(times) < moments:
                with tempfile.TemporaryDirectory() as folder:
                    process = subprocess.Popen(
                        (*MINI_EXP, name, "configs/mini.yaml", "--results", folder),
                        cwd=ROOT,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                    )
                    time.sleep(rng.uniform(0.1, latest))
                    start = time.perf_counter()
                    os.killpg(process.pid, number)
                    process.communicate()  # ends when nobody holds the pipe any more
                    if process.returncode == 128 + number:  # it had not finished before
                        times.append(time.perf_counter() - start)
            show(
                f"{number.name} at {moments} random moments of a {name}, slowest",
                f"{max(times):.2f} s",
                "at most 2 s",
            )
            show("  median", f"{statistics.median(times):.2f} s")


def selection(m: int = 1000, picks: int = 500) -> None:
    """Greedy selection at the size of the thesis's example, and one naive evaluation of 𝒞."""
    rng = np.random.default_rng(0)
    phi = rng.standard_normal((2 * m, m))
    sigma = phi.T @ phi / len(phi)
    z, _ = scaled_output_matrix(rng.standard_normal((m // 2, m)))
    weight = output_aware_weight(z, 0.5)
    greedy = seconds(lambda: greedy_path(sigma, weight, n_picks=picks))
    chosen = np.sort(rng.permutation(m)[: picks // 2])
    naive = seconds(lambda: naive_information_ratio(sigma, weight, chosen))
    evaluations = (picks + 1) * (2 * m - picks) // 2
    show(f"greedy selection, m = {m}, {picks} picks", f"{greedy:.2f} s", "at most 0.5 s")
    show(f"one naive evaluation of 𝒞(J), |J| = {picks // 2}", f"{1000 * naive:.1f} ms")
    show(f"  {evaluations} of them, extrapolated", f"{evaluations * naive / 60:.0f} min")
    show("  as a multiple of the greedy selection", f"{evaluations * naive / greedy:.0f}")


def training(epochs: int = 200) -> None:
    """One network by mini-exp, and by an ordinary loop over torch.nn and torch.optim."""
    stack, samples, orders = stack_of(1, epochs)
    ours = seconds(
        lambda: trained_stack(stack, samples, orders, SAMPLES_PER_STEP, LEARNING_RATE), 3
    )
    x, y = samples["train"]
    ordinary = seconds(lambda: ordinary_training(x[0], y[0], epochs), 3)
    show(f"training MiniModel, {epochs} epochs, scored after each", f"{ours:.3f} s")
    show("  an ordinary PyTorch loop, unscored", f"{ordinary:.3f} s")
    show("  as a multiple", f"{ordinary / ours:.1f}")
    workers = os.cpu_count() or 1
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        pool.map(batch, [2] * workers)  # imports are not what is measured
        together = seconds(lambda: pool.map(batch, [epochs] * workers, chunksize=1), repeats=3)
    each = together / (workers * BATCH)
    show(f"one of {BATCH} networks in a batch, a batch per core", f"{1000 * each:.2f} ms")
    show("  the ordinary loop as a multiple", f"{ordinary / each:.0f}", "at least 50")


def autograd(epochs: int = 200, sizes: tuple[int, ...] = (1, 50)) -> None:
    """Gradient and Adam written out, against torch.autograd and torch.optim on the same stack."""
    for size in sizes:
        stack, samples, orders = stack_of(size, epochs)
        ours = seconds(partial(drained, stack, samples, orders), 3)
        times = {
            how: seconds(partial(stacked_autograd, stack, samples, orders, how), 3)
            for how in ("foreach", "fused")
        }
        how = min(times, key=times.__getitem__)
        networks = f"{size} MiniModel{'s' * (size > 1)}, {epochs} epochs"
        show(f"{networks}, gradient and Adam written out", f"{ours:.3f} s")
        show(f"  by autograd and torch.optim.Adam, {how}", f"{times[how]:.3f} s")
        show("  as a multiple", f"{times[how] / ours:.1f}")
        trained = drained(stack, samples, orders), stacked_autograd(stack, samples, orders, how)
        show("  largest difference of a weight", f"{difference(*trained):.0e}")


def stack_of(size: int, epochs: int) -> tuple[MiniModel, Samples, Integers]:
    """Untrained networks, their data, and the order of samples in every epoch."""
    replicates = range(size)
    samples = mini_dataset([generator(1701, "data", r) for r in replicates], 100, 100)
    weights = [generator(1701, "weights", r) for r in replicates]
    orders = sample_orders([generator(1701, "train order", r) for r in replicates], epochs, 100)
    return initial_stack((30, 16, 12, 10, 1), False, weights), samples, orders


@one_thread()
def drained(stack: MiniModel, samples: Samples, orders: Integers) -> MiniModel:
    """Trained without scoring."""
    epochs = training_epochs(stack, *samples["train"], orders, SAMPLES_PER_STEP, LEARNING_RATE)
    *_, networks = epochs
    return networks


@one_thread()
def stacked_autograd(stack: MiniModel, samples: Samples, orders: Integers, how: str) -> MiniModel:
    """The same by PyTorch's own gradient and optimiser: of the sum of the networks' losses."""
    networks = copy.deepcopy(stack).requires_grad_(True)
    optimizer = torch.optim.Adam(
        networks.parameters(), LEARNING_RATE, ADAM_BETAS, ADAM_EPSILON, **{how: True}
    )
    x, y = map(torch.from_numpy, samples["train"])
    size, n = y.shape
    rows, labels = x.reshape(size * n, -1), y.reshape(-1)
    offsets = n * torch.arange(size)[:, None]
    for epoch in range(orders.shape[1]):
        order = torch.from_numpy(orders[:, epoch]) + offsets
        for chosen in order.split(SAMPLES_PER_STEP, dim=1):
            flat = chosen.reshape(-1)
            inputs = rows.index_select(0, flat).view(*chosen.shape, -1)
            target = labels.index_select(0, flat).view(chosen.shape)
            optimizer.zero_grad()
            losses = torch.nn.functional.binary_cross_entropy_with_logits(
                networks(inputs)[..., 0], target, reduction="sum"
            )
            (losses / chosen.shape[1]).backward()
            optimizer.step()
    return networks


def difference(ours: MiniModel, theirs: MiniModel) -> float:
    """The largest, over all weights."""
    pairs: list[tuple[Tensor, Tensor]] = list(
        zip(ours.parameters(), theirs.parameters(), strict=True)
    )
    return max(float((a - b).detach().abs().max()) for a, b in pairs)


def batch(epochs: int) -> None:
    """Train a batch of networks, data and random numbers included."""
    drained(*stack_of(BATCH, epochs))


def study_growth() -> None:
    """Seconds of a study with few epochs, against its number of replicates."""
    cheap = ("study.n_population=200", "study.rho_num=2", "train.epochs=2", "finetune.epochs=2")
    settings = [part for setting in cheap for part in ("--set", setting)]
    with tempfile.TemporaryDirectory() as folder:
        run = (*MINI_EXP, "study", "configs/smoke.yaml", *settings, "--results")
        for replicates in (100, 1000, 10_000):
            arguments = (*run, f"{folder}/{replicates}", "--replicates", str(replicates))
            taken = seconds(command(*arguments), repeats=1)
            show(f"study of a cheap experiment, {replicates} replicates", f"{taken:.0f} s")
            show("  per replicate", f"{1000 * taken / replicates:.1f} ms")


def ordinary_training(x: Floats, y: Floats, epochs: int) -> None:
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
    layers: list[torch.nn.Module] = []
    for n_in, n_out in ((30, 16), (16, 12), (12, 10), (10, 1)):
        layers += [torch.nn.Linear(n_in, n_out, bias=False, dtype=torch.float64), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE, ADAM_BETAS, ADAM_EPSILON)
    loss = torch.nn.BCEWithLogitsLoss()
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(SAMPLES_PER_STEP):
            optimizer.zero_grad()
            loss(network(inputs[batch])[:, 0], labels[batch]).backward()
            optimizer.step()


if __name__ == "__main__":
    print(f"{os.cpu_count()} cores, PyTorch {torch.__version__}, NumPy {np.__version__}")
    if sys.argv[1:] == ["--study"]:
        study_growth()
    else:
        command_line()
        signals()
        selection()
        training()
        autograd()
        pruning()
