"""Kinds of data and of networks: which there are, and whose keys are whose."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mini_exp.settings.reading import load_config
from mini_exp.settings.sections import Choose, Compare, Study
from mini_exp.tasks import DATA
from mini_exp.tasks.images.cifar10 import Cifar10
from mini_exp.tasks.images.digits import Digits
from mini_exp.tasks.images.models import DigitsCNN, ResNetModel, ThesisCNN
from mini_exp.tasks.mini.settings import FullyConnected, Mini
from mini_exp.tasks.own.settings import Arrays, Folder, PythonModel
from tests.settings.experiment_files import (
    BASE,
    DIGITS,
    assert_one_line,
    assert_refused,
    loaded,
    refused,
    settings_of,
    written,
)

# Text of the file; the key that the message must begin with; what else it must say.
BAD_KINDS = {
    **{
        f"kind {kind}": (
            *(BASE + f"data: {{kind: {kind}}}", "data.kind:"),
            f"expected mini, digits, cifar10, folder or arrays, got {shown}",
        )
        for kind, shown in (
            *(("cats", "'cats'"), ("Mini", "'Mini'"), ("3", "3"), ("~", "nothing")),
            *(("[mini]", "['mini']"), ("{a: 1}", "a mapping"), ("true", "True")),
        )
    },
    "kind in a variant": (
        *("name: x\nvariants: {a: {}, b: {data: {kind: cats}}}", "variants.b.data.kind:"),
        "expected mini, digits, cifar10, folder or arrays, got 'cats'",
    ),
    "unknown kind alone": (
        *(DIGITS.replace("digits", "cats") + "compare: {networks: 1}", "data.kind:"),
        "'cats'",
    ),
    "number for the data": (BASE + "data: 3", "data:", "expected a mapping, got 3"),
    "nothing for the data": (BASE + "data:", "data:", "expected a mapping, got nothing"),
    "list for the data": (
        *(BASE + "data: [mini]\ncompare: {}", "data:"),
        "expected a mapping, got ['mini']",
    ),
    "list for a variant's data": (
        *("name: x\nvariants: {a: {data: []}}", "variants.a.data:"),
        "expected a mapping, got []",
    ),
    "number for the network": (BASE + "model: 3", "model:", "expected a mapping, got 3"),
    "unknown network": (
        *(BASE + "model: {kind: vgg}", "model.kind:"),
        "expected mlp, digits_cnn, thesis_cnn, resnet or python, got 'vgg'",
    ),
    "unknown network in a variant": (
        *("name: x\nvariants: {a: {model: {kind: vgg}}}", "variants.a.model.kind:"),
        "got 'vgg'",
    ),
    "no network": (BASE + "model: {kind: }", "model.kind:", "python, got nothing"),
    "network for other samples": (
        *(DIGITS + "model: {kind: resnet}", "model.kind:"),
        "expected digits_cnn for digits, got 'resnet'",
    ),
    "one of several networks": (
        *(BASE + "data: {kind: cifar10}\nmodel: {kind: mlp}", "model.kind:"),
        "expected thesis_cnn or resnet for cifar10, got 'mlp'",
    ),
    "depth of no resnet": (
        *(BASE + "data: {kind: cifar10}\nmodel: {kind: resnet, depth: 19}", "model:"),
        "expected a depth of 6n + 2",
    ),
    "key of another kind": (
        *(BASE + "data: {kind: digits, root: x}", "data.root:"),
        "unknown key where data.kind is digits; expected one of kind, n_train, n_validation",
    ),
    "key of images": (
        *(BASE + "data: {n_validation: 5}", "data.n_validation:"),
        "unknown key where data.kind is mini; expected one of kind, n_train, n_test",
    ),
    "key of another network": (
        *(DIGITS + "model: {depth: 20}", "model.depth:"),
        "unknown key where model.kind is digits_cnn; expected one of kind",
    ),
    "misspelt key of a kind": (
        *(BASE + "data: {kind: cifar10, rot: x}", "data.rot:"),
        "unknown key; did you mean 'root'?",
    ),
    "key of a kind beside its section": (BASE + "n_validation: 5", "n_validation:", "'data.n_val"),
    "study of images": (
        *(DIGITS + "study: {}", "study:"),
        "unknown key where data.kind is digits",
    ),
    "comparison on MINI": (
        *(BASE + "compare: {}", "compare:"),
        "unknown key where data.kind is mini",
    ),
    "misspelt comparison": (DIGITS + "compair: {}", "compair:", "did you mean 'compare'?"),
    "mixed tasks": (
        *("name: x\nvariants: {a: {data: {kind: digits}}, b: {}}", "data.kind:"),
        "expected mini in every variant or in none, got digits in a, mini in b",
    ),
    "images for one variant": (
        *(BASE.replace("{a: {}}", "{a: {}, b: {data: {kind: cifar10}}}"), "data.kind:"),
        "expected mini in every variant or in none, got mini in a, cifar10 in b",
    ),
    "mirrored MINI": (
        *(BASE + "train: {augment: true}", "train.augment:"),
        "expected false but on images, got true",
    ),
    "half precision on MINI": (
        *(BASE + "finetune: {precision: bfloat16}", "finetune.precision:"),
        "expected 'full' but on images, got 'bfloat16'",
    ),
    "unknown precision": (
        *(DIGITS + "train: {precision: half}", "train.precision:"),
        "expected 'full' or 'bfloat16', got 'half'",
    ),
    "keep nothing": (DIGITS + "width: {choose: {keep: 0}}", "width.choose.keep:", "more than 0"),
    "rho by default": (
        *(DIGITS + "width: {choose: {rho: 1}}", "width.choose.rho:"),
        "expected covariance.flattened: false",
    ),
    "one network": (DIGITS + "compare: {networks: 1}", "compare.networks:", "at least 2, got 1"),
    "share above 1": (DIGITS + "compare: {keep: [2]}", "compare.keep.0:", "at most 1, got 2"),
    "no theta": (DIGITS + "compare: {theta: []}", "compare.theta:", "at least one item, got []"),
}


@pytest.mark.parametrize("case", BAD_KINDS)
def test_what_a_kind_does_not_have_is_refused_in_one_line(tmp_path, case):
    text, *said = BAD_KINDS[case]
    assert_refused(written(tmp_path, text), *said)


@pytest.mark.parametrize(
    ("option", "key"),
    [
        ("data.kind=cats", "data.kind:"),
        ("variants.a.data.kind=cats", "variants.a.data.kind:"),
        ("data=3", "data:"),
        ("model.kind=vgg", "model.kind:"),
        ("data.root=x", "data.root:"),
        ("compare.networks=3", "compare:"),
    ],
)
def test_a_bad_kind_of_an_option_is_told_as_the_options(tmp_path, option, key):
    assert_one_line(refused(written(tmp_path, BASE), option), "--set", key)


@pytest.mark.parametrize(
    ("kind", "data", "model"),
    [
        ("mini", Mini(), FullyConnected()),
        ("digits", Digits(), DigitsCNN()),
        ("cifar10", Cifar10(), ThesisCNN()),
        ("folder", Folder(), PythonModel()),
        ("arrays", Arrays(), PythonModel()),
    ],
)
def test_a_kind_has_sections_of_its_own(kind, data, model):
    settings = settings_of(data={"kind": kind})
    assert (settings.data, settings.model) == (data, model)


def test_every_kind_is_here():
    assert (Mini, Digits, Cifar10, Folder, Arrays) == DATA


def test_another_network_takes_its_own_defaults():
    settings = settings_of(data={"kind": "cifar10"}, model={"kind": "resnet"})
    assert settings.model == ResNetModel(depth=20)


@pytest.mark.parametrize(
    ("text", "study", "compare"), [(BASE, Study(), None), (DIGITS, None, Compare())]
)
def test_mini_is_studied_and_images_are_compared(tmp_path, text, study, compare):
    config = loaded(tmp_path, text)
    assert (config.study, config.compare) == (study, compare)


def test_variants_may_have_several_sets_of_images(tmp_path):
    text = "name: x\nvariants: {a: {data: {kind: digits}}, b: {data: {kind: cifar10}}}"
    config = loaded(tmp_path, text)
    assert [type(settings.data) for settings in config.variants.values()] == [Digits, Cifar10]


def test_a_whole_number_counts_and_a_fraction_is_a_share(tmp_path):
    for text, value in (("400", 400), ("0.25", 0.25), ("1", 1), ("1.0", 1.0)):
        config = loaded(tmp_path, BASE + f"width: {{choose: {{parameters: {text}}}}}")
        choose = config.first.width.choose
        assert isinstance(choose, Choose)
        assert (choose.parameters, type(choose.parameters)) == (value, type(value))
        again = load_config(written(tmp_path, config.as_yaml()))
        assert again == config
        assert type(again.first.width.choose.parameters) is type(value)


def test_settings_are_not_changed_in_place():
    with pytest.raises(ValidationError, match="frozen"):
        settings_of().seed = 3
