"""A small network on a little data, as a step gets them."""

import numpy as np
import torch

from mini_exp.settings.settings import Settings
from mini_exp.spectral.width_path import WidthPath
from mini_exp.steps import covariance
from mini_exp.tasks.mini.data import mini_dataset
from mini_exp.tasks.mini.network import initial_stack
from tests import oracles

WIDTHS = (7, 6, 5)


def settings(**sections):
    sections.setdefault("model", {"widths": WIDTHS})
    sections.setdefault("width", {"choose": [3, 2, 2]})
    return Settings.model_validate({"seed": 3, **sections})


def state(bias, widths=WIDTHS, seed=0):
    """Parameters of a network of these hidden widths, its biases not zero."""
    rng = np.random.default_rng(seed)
    network = initial_stack((30, *widths, 1), bias, [rng]).replicate(0)
    return {
        name: torch.from_numpy(rng.normal(0, 0.3, tensor.shape)) if "bias" in name else tensor
        for name, tensor in network.state_dict().items()
    }


def samples(n_train=40):
    sets = mini_dataset([np.random.default_rng(9)], n_train, 10)
    return {split: (x[0], y[0]) for split, (x, y) in sets.items()}


def weights_of(parameters):
    return [tensor.numpy() for name, tensor in parameters.items() if name.endswith("weight")]


def biases_of(parameters):
    return [tensor.numpy() for name, tensor in parameters.items() if name.endswith("bias")]


def layer_outputs(parameters, x):
    """Of every layer, the last one's logits included."""
    return oracles.forward(weights_of(parameters), biases_of(parameters), x)


def moments_of(config, parameters, data):
    (moments,) = covariance.run(config, parameters, data)
    return moments


def sigma_of(moments):
    return list(moments.groups.sigma.values())


def path_of(widths, rho=None):
    """A width path with these widths, one row per ρ."""
    width = np.array(widths)
    k = len(width)
    rho = np.arange(1.0, k + 1) if rho is None else np.array(rho)
    empty = np.zeros(width.shape)
    return WidthPath(rho, empty, empty, width, np.zeros(k), np.ones(k, dtype=bool))
