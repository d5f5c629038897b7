"""What tables and figures call the networks of a study, in their order."""

from __future__ import annotations

from collections.abc import Mapping

from mini_exp.settings.settings import Settings
from mini_exp.study.networks import study_widths


def network_labels(variants: Mapping[str, Settings]) -> dict[str, str]:
    """Every stage, control and baseline that the tables score."""
    widths = {study_widths(settings) for settings in variants.values()}
    small = str(widths.pop()) if len(widths) == 1 else "the same widths"
    return {
        "original": "original",
        "compressed": "compressed",
        "finetuned": "fine-tuned",
        "original_twice": "original, twice the epochs",
        "random_slice": "random units, sliced",
        "random_slice_finetuned": "random units, sliced, fine-tuned",
        "random_reconstruct": "random units, reconstructed",
        "random_reconstruct_finetuned": "random units, reconstructed, fine-tuned",
        "scratch": f"{small} from scratch",
        "scratch_twice": f"{small} from scratch, {_longer(variants)}",
        "constant": "constant predictor",
        "logistic_x": "logistic regression on X",
        "logistic_mean": "logistic regression on X̄",
        "svm_x": "support vector machine on X",
        "svm_mean": "support vector machine on X̄",
    }


def control_labels(variants: Mapping[str, Settings]) -> dict[str, str]:
    """The controls that the figure of the stages draws, in words that fit its legend."""
    return {
        "constant": "constant predictor",
        "original_twice": "original, twice the epochs",
        "random_slice_finetuned": "random units, fine-tuned",
        "scratch_twice": f"from scratch, {_longer(variants)}",
        "logistic_x": "logistic regression on $X$",
    }


def _longer(variants: Mapping[str, Settings]) -> str:
    """How long ``scratch_twice`` trains: as long as original and fine-tuning together."""
    alike = all(s.finetune.epochs == s.train.epochs for s in variants.values())
    return "twice the epochs" if alike else "with the epochs of fine-tuning"
