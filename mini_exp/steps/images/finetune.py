"""Step finetune: train the smaller network on, and score all three (section 4.3, step 6)."""

from __future__ import annotations

from mini_exp.config import ImageSettings
from mini_exp.image_networks import new_network
from mini_exp.image_training import fitted, image_scores, seeded, state_of, tensors, with_state
from mini_exp.pruning.selection import PruningSelection
from mini_exp.pruning.surgery import smaller_network, with_new_biases
from mini_exp.training import OnEpoch
from mini_exp.types import Evaluation, ImageHistory, ImageSplits, NetworkState


def run(
    settings: ImageSettings,
    splits: ImageSplits,
    original: NetworkState,
    selection: PruningSelection,
    compressed: NetworkState,
    on_epoch: OnEpoch | None = None,
) -> tuple[NetworkState, ImageHistory, list[Evaluation]]:
    """Return the fine-tuned network, its history, and the scores of every stage.

    The test set is scored here and nowhere else.

    Raises
    ------
    TrainingError
        If it diverges.
    """
    data = tensors(splits, settings.device)
    fresh = new_network(settings.model.kind, settings.model.depth)
    smaller = with_new_biases(smaller_network(fresh, selection), compressed.tensors)
    start = with_state(smaller, compressed).to(settings.device)
    with seeded(settings.seed, "finetune order") as rng:
        finetuned, history = fitted(start, data, settings.finetune, rng, on_epoch)
    stages = {
        "original": with_state(fresh, original).to(settings.device),
        "compressed": start,
        "finetuned": finetuned,
    }
    evaluations = []
    for stage, network in stages.items():
        n_parameters = sum(parameter.numel() for parameter in network.parameters())
        for split, (x, y) in data.items():
            loss, accuracy = image_scores(network, x, y)
            evaluations.append(Evaluation(stage, split, loss, accuracy, n_parameters, len(x)))
    return state_of(finetuned), history, evaluations
