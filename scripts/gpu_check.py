"""What needs a GPU, run on one: `make gpu-check`. Prints it, and keeps it in results/gpu.

The tests of the device, the study, the comparison on CIFAR-10 and the time that pruning takes, the
last two in float32 and in bfloat16. A check that fails does not keep the others from being run.
"""

from __future__ import annotations

import argparse
import copy
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from mini_exp import prune
from mini_exp.files import write_bytes
from mini_exp.report.tables import markdown
from mini_exp.tasks.images.networks import ResNet, thesis_cnn

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results" / "gpu"
MINI_EXP = (sys.executable, "-m", "mini_exp")
FORMS = {"float32": "full", "bfloat16": "bfloat16"}
PRUNED: dict[str, Callable[[], nn.Module]] = {
    "thesis CNN": thesis_cnn,
    "ResNet-56": lambda: ResNet(56),
}
N_IMAGES, BATCH, REPEATS = 2000, 100, 3


@dataclass(frozen=True)
class Check:
    """A command whose output is kept under a name."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """How a check ended."""

    name: str
    code: int
    seconds: float


Run = Callable[[Sequence[str]], tuple[int, str]]


def device_name() -> str | None:
    """The first GPU's; None where PyTorch finds none."""
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def checks(device: str, replicates: int) -> list[Check]:
    """All that is run on a device, in order."""
    where = ("--device", device, "--results", str(RESULTS))
    full = "configs/cifar10_full.yaml"
    made = [
        Check("tests", (sys.executable, "-m", "pytest", "tests/study/test_cuda.py")),
        Check(
            "study",
            (*MINI_EXP, "study", "configs/mini.yaml", "--replicates", str(replicates), *where),
        ),
    ]
    for form, precision in FORMS.items():
        settings = [f"name=cifar10_{form}"]
        settings += [f"{step}.precision={precision}" for step in ("train", "finetune")]
        options = [word for setting in settings for word in ("--set", setting)]
        made.append(Check(f"compare_{form}", (*MINI_EXP, "compare", full, *where, *options)))
    script = (sys.executable, "-m", "scripts.gpu_check", "--device", device)
    made += [Check(f"pruning_{form}", (*script, "--pruning", form)) for form in FORMS]
    return made


def executed(command: Sequence[str]) -> tuple[int, str]:
    """Exit code and output of a command in the repository; it is shown while it comes."""
    lines = []
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            lines.append(line)
    return process.returncode, "".join(lines)


def run_checks(
    device: str,
    replicates: int,
    name_of_device: Callable[[], str | None] = device_name,
    run: Run = executed,
    folder: Path = RESULTS,
) -> int:
    """Run every check, keep what each prints, sum up; 0 where all ended well.

    Parameters
    ----------
    device : str
        ``cuda`` or ``cuda:N``.
    replicates : int
        Of the study.
    name_of_device, run, folder
        What tests put something else for.
    """
    name = name_of_device()
    if name is None:
        print("gpu-check: PyTorch finds no CUDA device here; nothing was run", file=sys.stderr)
        return 1
    outcomes = []
    for check in checks(device, replicates):
        print(f"gpu-check: {check.name}", flush=True)
        before = time.perf_counter()
        code, output = run(check.command)
        outcomes.append(Outcome(check.name, code, time.perf_counter() - before))
        write_bytes(folder / f"{check.name}.txt", output.encode())
    write_bytes(folder / "gpu.md", summary(name, outcomes).encode())
    failed = [outcome.name for outcome in outcomes if outcome.code]
    print(f"gpu-check: {', '.join(failed)} failed" if failed else "gpu-check: all ended well")
    return 1 if failed else 0


def summary(device: str, outcomes: Sequence[Outcome]) -> str:
    """The device and how every check ended, as Markdown."""
    cells = [
        [one.name, "ended well" if one.code == 0 else f"exit code {one.code}", f"{one.seconds:.0f}"]
        for one in outcomes
    ]
    table = markdown(["Check", "Outcome", "Seconds"], cells, 2)
    return f"# On {device}\n\nPyTorch {torch.__version__}.\n\n{table}\n"


def pruning(form: str, device: str) -> None:
    """Seconds that pruning takes on a device beside the CPU, and how far the results agree."""
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[form]
    for name, make in PRUNED.items():
        torch.manual_seed(0)
        network = make().to(dtype).eval()
        images = torch.randn(N_IMAGES, 3, 32, 32, dtype=dtype)
        taken = {}
        kept = {}
        for place in dict.fromkeys(("cpu", device)):
            there = copy.deepcopy(network).to(place)
            batches = list(images.to(place).split(BATCH))
            taken[place], kept[place] = _pruned(there, batches)
        same = sum(kept["cpu"][group] == kept[device][group] for group in kept["cpu"])
        times = ", ".join(f"{place} {seconds:.2f} s" for place, seconds in taken.items())
        print(f"{name}, {form}: {times}; {same} of {len(kept['cpu'])} index sets are the same")


def _pruned(network: nn.Module, batches: list[torch.Tensor]) -> tuple[float, dict[str, list[int]]]:
    """The least of several times, and the index sets."""
    seconds = []
    for _ in range(REPEATS):
        before = time.perf_counter()
        _, selection = prune(network, batches, keep=0.5)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - before)
    return min(seconds), {
        kept.group.name: sorted(map(int, kept.index_set)) for kept in selection.groups
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--pruning", choices=FORMS, help="only time pruning, in this form")
    options = parser.parse_args(arguments)
    if options.pruning:
        pruning(options.pruning, options.device)
        return 0
    return run_checks(options.device, options.replicates)


if __name__ == "__main__":
    sys.exit(main())
