"""Step finetune: train the smaller network on, and score all three (section 4.3, step 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mini_exp.steps.step import Step

if TYPE_CHECKING:
    from torch import Tensor

    from mini_exp.pruning.selection import Selection
    from mini_exp.settings.settings import Settings
    from mini_exp.steps.evaluation import Evaluation
    from mini_exp.tasks.task import History, OnEpoch, Samples

STEP = Step(
    module=__name__,
    settings=("seed", "device", "dtype", "model", "finetune", "data"),
    inputs=("dataset.npz", "original.safetensors", "selection.json", "compressed.safetensors"),
    outputs={
        "finetuned.safetensors": "state",
        "finetune_history.csv": "history",
        "evaluation.csv": "evaluations",
    },
    counts="epoch",
    scores=True,
)


def run(
    settings: Settings,
    samples: Samples,
    original: dict[str, Tensor],
    selection: Selection,
    compressed: dict[str, Tensor],
    on_epoch: OnEpoch | None = None,
) -> tuple[dict[str, Tensor], History, list[Evaluation]]:
    """Return the fine-tuned network's parameters, its history, and the scores of every stage.

    Raises
    ------
    TrainingError
        If it diverges.
    """
    from mini_exp.steps.evaluation import Evaluation
    from mini_exp.steps.networks import saved_network
    from mini_exp.tasks.task import task_of

    task = task_of(settings.data)
    start = saved_network(settings, compressed, selection)
    finetuned, history = task.trained_network(
        start,
        samples,
        settings.finetune,
        settings.seed,
        "finetune order",
        device=settings.device,
        dtype=settings.dtype,
        on_epoch=on_epoch,
    )
    stages = {
        "original": saved_network(settings, original),
        "compressed": saved_network(settings, compressed, selection),
        "finetuned": finetuned,
    }
    evaluations = []
    for stage, network in stages.items():
        n_parameters = sum(parameter.numel() for parameter in network.parameters())
        fidelity: dict[str, tuple[float, float]] = {}
        if settings.data.fidelity:
            fidelity = task.fidelity(network, stages["original"], samples)
        for score in task.scores(network, samples, settings.data, settings.seed):
            scored = (score.split, score.loss, score.accuracy, n_parameters, score.n)
            evaluations.append(Evaluation(stage, *scored, *fidelity.get(score.split, ())))
    return finetuned.state_dict(), history, evaluations
