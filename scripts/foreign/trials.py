"""What each foreign network is calibrated on, without labels, and what it is scored by."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor, nn

from mini_exp.tasks.images.cifar10 import Cifar10
from scripts.foreign import inputs, scores

N_CALIBRATION = 2000  # images, the first of the training set
N_PATCHES = 2000  # patches to score on, the first of the test set
BATCH = 250
FRAME, FRAME_HOP = 1024, inputs.SAMPLE_RATE // 100
SEGMENT, SEGMENT_HOP = 2 * inputs.SAMPLE_RATE, inputs.SAMPLE_RATE // 25
SURE = 0.5  # probability from which CREPE is taken to hear a pitch
LARGEST_TORQUE = 2.0
AGENTS = "rl_trained_agents"
RECORDING = "torchcrepe_tiny/test.wav"

Score: TypeAlias = Callable[[nn.Module, nn.Module], float]  # of the original and the network


@dataclass(frozen=True)
class Trial:
    """Inputs to prune with, and scores on inputs that are not among them."""

    calibration: Tensor
    scores: Mapping[str, Score]

    @property
    def batches(self) -> list[Tensor]:
        return list(self.calibration.split(BATCH))


def own(score: Callable[[nn.Module], float]) -> Score:
    """A score for which the original does not matter."""
    return lambda original, network: score(network)


def fidelity(held_out: Tensor, comparison: Callable[[Tensor, Tensor], float]) -> Score:
    """A comparison of the original's outputs with the network's."""
    return lambda original, network: comparison(
        scores.outputs(original, held_out), scores.outputs(network, held_out)
    )


def classification(
    mean: tuple[float, ...], deviation: tuple[float, ...], folder: Path, cifar10: Cifar10
) -> Trial:
    """Accuracy on CIFAR-10's test images, scaled as the author has them."""
    train, test = inputs.images(Path(cifar10.root))
    calibration = inputs.scaled(train.pixels[:N_CALIBRATION], mean, deviation)
    held_out = inputs.scaled(test.pixels, mean, deviation)
    labels = torch.from_numpy(test.labels)
    accuracy = own(lambda network: scores.accuracy(scores.outputs(network, held_out), labels))
    measure = f"test accuracy{', re-encoded images' if cifar10.reencoded else ''}"
    return Trial(calibration, {measure: accuracy})


def cart_pole(folder: Path, cifar10: Cifar10) -> Trial:
    """Whether the greedy action stays the same; the return where there is gymnasium."""
    path = folder / AGENTS / "dqn_CartPole-v1_states.npy"
    calibration, held_out = inputs.halves(inputs.states(path))
    same = {"same action": fidelity(held_out, scores.agreement)}
    return Trial(calibration, same | returns("CartPole-v1", lambda values: int(values.argmax())))


def pendulum(folder: Path, cifar10: Cifar10) -> Trial:
    """How far the torque moves; the return where there is gymnasium."""
    path = folder / AGENTS / "sac_Pendulum-v1_states.npy"
    calibration, held_out = inputs.halves(inputs.states(path))
    error = {
        "squared error of the action / variance": fidelity(held_out, scores.relative_squared_error)
    }
    torque = returns("Pendulum-v1", lambda share: (LARGEST_TORQUE * share).numpy())
    return Trial(calibration, error | torque)


def returns(environment: str, action: Callable[[Tensor], object]) -> dict[str, Score]:
    """The mean return in an environment of gymnasium; nothing where that is not installed."""
    if importlib.util.find_spec("gymnasium") is None:
        return {}
    score = own(lambda network: scores.mean_return(network, environment, action))
    return {f"return, mean of {scores.EPISODES} episodes": score}


def patches(prepared: Callable[[Tensor], Tensor], folder: Path, cifar10: Cifar10) -> Trial:
    """How far the outputs for CIFAR-10's images in grey move."""
    train, test = inputs.images(Path(cifar10.root))
    calibration = prepared(inputs.grey_patches(train.pixels[:N_CALIBRATION]))
    held_out = prepared(inputs.grey_patches(test.pixels[:N_PATCHES]))
    return Trial(
        calibration,
        {
            "squared error / variance": fidelity(held_out, scores.relative_squared_error),
            "mean cosine": fidelity(held_out, scores.mean_cosine),
        },
    )


def pitch(folder: Path, cifar10: Cifar10) -> Trial:
    """Whether the pitch stays the same in the second half of a recording."""
    first, second = inputs.halves(inputs.sound(folder / RECORDING))
    calibration = inputs.standardised(inputs.frames(first, FRAME, FRAME_HOP))
    held_out = inputs.standardised(inputs.frames(second, FRAME, FRAME_HOP))
    within = partial(scores.agreement, within=1)  # a place is 20 cents

    def within_where_sure(reference: Tensor, values: Tensor) -> float:
        sure = reference.amax(1) >= SURE
        return within(reference[sure], values[sure])

    return Trial(
        calibration,
        {
            "same pitch within 20 cents": fidelity(held_out, within),
            "same pitch where the original is sure": fidelity(held_out, within_where_sure),
            "KL divergence, nats": fidelity(held_out, scores.bernoulli_divergence),
        },
    )


def speech_quality(folder: Path, cifar10: Cifar10) -> Trial:
    """Opinion scores of stretches of two seconds of the second half of a recording."""
    first, second = inputs.halves(inputs.sound(folder / RECORDING))
    calibration = inputs.mel_spectrogram(inputs.frames(first, SEGMENT, SEGMENT_HOP))
    held_out = inputs.mel_spectrogram(inputs.frames(second, SEGMENT, SEGMENT_HOP))
    opinion = own(lambda network: scores.outputs(network, held_out).mean().item())
    error = fidelity(held_out, scores.mean_relative_error)
    return Trial(
        calibration, {"mean opinion score": opinion, "relative error of the opinion score": error}
    )
