"""Step export, where it is asked for: the smaller network for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mini_exp.steps.step import Step

if TYPE_CHECKING:
    from torch import Tensor

    from mini_exp.pruning.selection import Selection
    from mini_exp.settings.settings import Settings
    from mini_exp.tasks.task import Samples

FEW = 2  # samples: with one, exporters take the number of samples for fixed

STEPS = {
    name: Step(
        module=__name__,
        settings=("device", "model", "export"),
        inputs=("dataset.npz", "selection.json", "finetuned.safetensors"),
        outputs={file: "raw"},
    )
    for name, file in (("onnx", "network.onnx"), ("torch.export", "network.pt2"))
}


def run(
    settings: Settings, samples: Samples, selection: Selection, finetuned: dict[str, Tensor]
) -> tuple[bytes]:
    """Return the fine-tuned network as ONNX, or as ``torch.export.load`` reads it.

    It takes any number of samples at once, on the CPU.

    Raises
    ------
    ConfigError
        If the packages for it are not installed.
    NetworkError
        If PyTorch cannot export the network.
    """
    from mini_exp.steps.networks import saved_network
    from mini_exp.tasks.exporting import exported
    from mini_exp.tasks.task import task_of

    cpu = settings.model_copy(update={"device": "cpu"})
    network = saved_network(cpu, finetuned, selection).eval()
    batches = task_of(settings.data).calibration_batches(network, samples, FEW, FEW)
    return (exported(network, batches[0].contiguous(), settings.export or "onnx"),)
