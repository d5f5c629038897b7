"""The defaults of every task, and the protocols of the shipped files."""

from __future__ import annotations

from mini_exp.settings.reading import load_config
from mini_exp.settings.settings import Settings
from mini_exp.settings.walk import keys, setting
from tests.settings.experiment_files import CONFIGS, settings_of

EVERYWHERE = {
    "seed": 1701,
    "device": "cpu",
    "export": None,
    "train.batch_size": 32,
    "train.learning_rate": 1e-3,
    "train.augment": False,
    "train.precision": "full",
    "covariance.scale": "mean",
    "width.solver": "exact",
    "width.rho.start": 1.0,
    "width.rho.stop": 10.0,
    "width.rho.num": 91,
    "select.scope": "full",
    "select.theta": 0.5,
    "select.tied": True,
    "compress.weights": "reconstruct",
    "compress.intercept": False,
    "compress.refit": False,
    "compress.sequential": False,
    "compress.rescale_dropout": False,
    "compress.recover.steps": 0,
    "compress.recover.n_samples": None,
    "compress.recover.over": "all",
    "compress.recover.loss": "auto",
    "finetune.batch_size": 32,
    "finetune.learning_rate": 1e-3,
    "finetune.augment": False,
    "finetune.precision": "full",
}
CORRECTED = {
    **EVERYWHERE,
    "dtype": "float64",
    "data.kind": "mini",
    "data.n_train": 100,
    "data.n_test": 100,
    "data.n_population": 100_000,
    "data.epsilon": 0.1,
    "data.labels": "thesis",
    "model.kind": "mlp",
    "model.widths": [16, 12, 10],
    "model.bias": False,
    "train.epochs": 200,
    "covariance.n_samples": None,
    "covariance.batch_size": 16_384,
    "covariance.flattened": False,
    "width.regularizer": "square",
    "width.boundary": "parameters",
    "width.choose": [8, 3, 3],
    "width.losses": "spectral",
    "compress.ridge": 0.0,
    "finetune.epochs": 200,
}
ON_IMAGES = {
    **EVERYWHERE,
    "dtype": "float32",
    "data.n_train": None,
    "data.n_validation": 287,
    "train.epochs": 30,
    "covariance.n_samples": 2000,
    "covariance.batch_size": 100,
    "covariance.flattened": True,
    "width.regularizer": "abs",
    "width.boundary": "output",
    "width.choose": {"keep": 0.5},
    "width.losses": "measured",
    "compress.ridge": 1e-6,
    "finetune.epochs": 3,
}
ON_DIGITS = {**ON_IMAGES, "data.kind": "digits", "model.kind": "digits_cnn"}
ON_CIFAR10 = {
    **ON_IMAGES,
    "data.kind": "cifar10",
    "data.root": "data/cifar10",
    "data.download": False,
    "data.reencoded": False,
    "model.kind": "thesis_cnn",
}
PUBLISHED = {
    **CORRECTED,
    "data.n_test": 99,
    "data.labels": "swapped",
    "covariance.scale": "sum",
    "width.solver": "published",
    "width.boundary": "hidden",
    "width.rho.start": 0.01,
    "width.rho.stop": 0.1,
    "select.scope": "complement",
    "compress.weights": "slice",
}
MINI = {
    "published": PUBLISHED,
    "published_bias": {**PUBLISHED, "model.bias": True},
    "corrected": CORRECTED,
    "corrected_bias": {**CORRECTED, "model.bias": True},
}


def flat(settings: Settings) -> dict[str, object]:
    """From every key to its value; of other kinds' keys none."""
    sections = {"data": type(settings.data), "model": type(settings.model)}
    own = [key for key in keys(Settings) if key.partition(".")[0] not in sections]
    of_kinds = (key for name, section in sections.items() for key in keys(section, f"{name}."))
    return {key: setting(settings, key) for key in (*own, *of_kinds)}


def test_defaults_are_the_corrected_protocol():
    assert flat(settings_of()) == CORRECTED


def test_defaults_on_images():
    assert flat(settings_of(data={"kind": "digits"})) == ON_DIGITS
    assert flat(settings_of(data={"kind": "cifar10"})) == ON_CIFAR10


def test_what_is_given_stays():
    given = {"dtype": "float32", "train": {"epochs": 7}, "width": {"choose": [1, 1, 1]}}
    told = {"dtype": "float32", "train.epochs": 7, "width.choose": [1, 1, 1]}
    assert flat(settings_of(**given)) == {**CORRECTED, **told}


def test_a_rule_replaces_the_default_one():
    settings = settings_of(data={"kind": "digits"}, width={"choose": {"flops": 0.5}})
    assert setting(settings, "width.choose") == {"flops": 0.5}


def test_mini_has_the_four_protocols():
    config = load_config(CONFIGS / "mini.yaml")
    assert config.name == "mini"
    assert {name: flat(settings) for name, settings in config.variants.items()} == MINI
    assert list(config.variants) == list(MINI)


def test_smoke_differs_from_mini_in_effort_only():
    effort = {"data.n_population", "train.epochs", "finetune.epochs", "width.rho.num"}
    smoke = load_config(CONFIGS / "smoke.yaml").variants
    assert list(smoke) == list(MINI)
    for name, settings in smoke.items():
        values = flat(settings)
        assert {key for key in values if values[key] != MINI[name][key]} == effort
