"""The keys of settings, and what pydantic's locations mean in them."""

from __future__ import annotations

import pytest

from mini_exp.settings.sections import Choose, Covariance, Rho, Study, Width
from mini_exp.settings.settings import Settings
from mini_exp.settings.walk import Location, alternatives, keys, setting, walked
from mini_exp.tasks.images.cifar10 import Cifar10
from mini_exp.tasks.images.digits import Digits
from mini_exp.tasks.mini.settings import Mini
from mini_exp.tasks.own.settings import Arrays, Folder
from tests.settings.experiment_files import settings_of


def test_keys_are_those_of_the_leaves():
    assert list(keys(Rho)) == ["start", "stop", "num"]
    assert list(keys(Width, "width."))[-5:] == [
        *("width.rho.start", "width.rho.stop", "width.rho.num", "width.choose", "width.losses"),
    ]
    assert "rules.late_rho" in set(keys(Study))


def test_keys_of_every_kind_are_there_once():
    all_keys = list(keys(Settings))
    assert len(all_keys) == len(set(all_keys))
    assert {"data.kind", "data.epsilon", "data.n_validation", "data.root"} <= set(all_keys)
    assert {"model.widths", "model.depth"} <= set(all_keys)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 1701),
        ("width.rho", {"start": 1.0, "stop": 10.0, "num": 91}),
        ("width.choose", [8, 3, 3]),
        ("width.choose.rho", None),
        ("data.root", None),
        ("nothing.here", None),
    ],
)
def test_a_setting_is_plain_data_or_nothing(key, value):
    assert setting(settings_of(), key) == value


def test_the_value_of_a_rule_has_a_key():
    assert setting(settings_of(width={"choose": {"rho": 2}}), "width.choose.rho") == 2.0


def test_alternatives_have_the_tags_of_a_union():
    fields = Settings.model_fields["data"].annotation, Choose.model_fields["flops"].annotation
    assert alternatives(fields[0]) == {
        **{"mini": Mini, "digits": Digits, "cifar10": Cifar10},
        **{"folder": Folder, "arrays": Arrays},
    }
    assert alternatives(fields[1]) == {"count": int, "share": float}
    assert alternatives(Covariance.model_fields["n_samples"].annotation) == {"": int}


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ((), Location((), Settings, "")),
        (("seed",), Location(("seed",), Settings, "")),
        (("data",), Location(("data",), Settings, "")),
        (("data", "mini"), Location(("data",), Settings, "mini")),
        (("data", "digits", "rot"), Location(("data", "rot"), Digits, "digits")),
        (("width", "choose", "rule"), Location(("width", "choose"), Width, "rule")),
        (("width", "choose", "widths", 1), Location(("width", "choose", "1"), Width, "widths")),
        (
            ("width", "choose", "rule", "flops", "share"),
            Location(("width", "choose", "flops"), Choose, "share"),
        ),
        (("study", "rules"), Location(("study", "rules"), Settings, "")),
    ],
)
def test_a_location_has_no_tags(location, expected):
    assert walked(Settings, location) == expected
