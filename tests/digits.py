"""A small experiment on digits, for every test that needs one."""

from __future__ import annotations

from pathlib import Path

import yaml

SETTINGS = {
    "seed": 3,
    "data": {"kind": "digits", "n_train": 200, "n_validation": 50},
    "train": {"epochs": 2},
    "covariance": {"n_samples": 60, "batch_size": 25},
    "width": {"rho": {"start": 1, "stop": 10, "num": 3}},
    "compress": {"recover": {"steps": 3}},
    "finetune": {"epochs": 1},
    "variants": {
        "half": {"width": {"choose": {"keep": 0.5}}},
        "budget": {"width": {"choose": {"parameters": 0.3}}},
    },
    "compare": {
        "networks": 2,
        "keep": [0.5],
        "parameters": [0.3],
        "flops": [0.4],
        "theta": [1.0],
    },
}


def digits_file(path: Path, **changes: object) -> Path:
    """An experiment on digits."""
    settings = {"name": path.stem, **SETTINGS, **changes}
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return path
