"""Small folders of images, array files and modules with networks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from click.testing import CliRunner, Result
from PIL import Image

from mini_exp.cli import main

# A network of the form of torchvision's: features, pooling, classifier.
NETWORK = """
import torch
from torch import nn


class Small(nn.Module):
    def __init__(self, n_classes, width=8, channels=3):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.MaxPool2d(2), nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(2)
        self.classifier = nn.Sequential(
            nn.Linear(8 * width, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, n_classes)
        )

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def build(n_classes=3, **options):
    return Small(n_classes, **options)


def perceptron(n_outputs=1):
    hidden = nn.Linear(5, 12), nn.ReLU(), nn.Linear(12, 8), nn.ReLU()
    return nn.Sequential(*hidden, nn.Linear(8, n_outputs))
"""
CLASSES = ("apple", "pear", "plum")
FEW = {"width": {"rho": {"num": 3}}, "finetune": {"epochs": 1}}


def write_image(path: Path, shade: int, size: tuple[int, int] = (16, 16), seed: int = 0) -> None:
    """Noise around a shade, RGB."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(-30, 30, (size[1], size[0], 3))
    Image.fromarray((shade + noise).clip(0, 255).astype(np.uint8)).save(path)


def write_folders(folder: Path, per_class: int = 14, tested: int = 6) -> None:
    """Class-named folders ``train`` and ``test`` of 16 × 16 images: 42 and 18."""
    for split, count in (("train", per_class), ("test", tested)):
        for i, name in enumerate(CLASSES):
            for j in range(count):
                seed = j + 100 * i + (10_000 if split == "test" else 0)
                write_image(folder / split / name / f"{j}.png", 50 + 70 * i, seed=seed)


def write_config(folder: Path, **changes: Any) -> Path:
    """``own.yaml`` beside ``my_network.py``."""
    (folder / "my_network.py").write_text(NETWORK, encoding="utf-8")
    settings = {
        "name": "own",
        "data": {"kind": "folder", "train": "train", "test": "test"},
        "model": {"kind": "python", "factory": "my_network:build"},
        **FEW,
        "variants": {"half": {}},
        **changes,
    }
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return path


def write_readme_experiment(readme: str) -> None:
    """The README's experiment on a network of one's own, in the current directory."""
    part = readme.partition("## On your own network")[2]
    blocks = {kind: re.search(rf"```{kind}\n(.*?)```", part, re.S) for kind in ("python", "yaml")}
    module, config = (str(found[1]) for found in blocks.values() if found is not None)
    Path("my_network.py").write_text(module, encoding="utf-8")
    Path("own.yaml").write_text(config, encoding="utf-8")
    write_folders(Path("data"))
    namespace: dict[str, Any] = {}
    exec(module, namespace)  # noqa: S102 - our README
    torch.save(namespace["build"](n_classes=10).state_dict(), "weights.pt")


def mini_exp(command: str, *arguments: str) -> Result:
    """From the current directory, with its ``results``."""
    return CliRunner().invoke(main, [command, *arguments])
