"""Interventions: the study's own networks where nothing is changed, and what each change is."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.diagnostics.interventions.arms import alternating, centred, orthogonal
from mini_exp.diagnostics.interventions.trials import COLUMNS, trials
from mini_exp.study.replicates import block


@pytest.fixture(scope="module")
def rows(config, block_of):
    variant, settings, data = block_of
    return trials(variant, settings, config.diagnose, 50, data)


def scores_of(rows, network, measure="accuracy", arm="as it is", width=16, decay=0.0):
    own = rows[(rows["arm"] == arm) & (rows["network"] == network)]
    of_strength = own["weight_decay"].isna() if decay is None else own["weight_decay"] == decay
    own = own[of_strength & (own["first_width"] == width)]
    assert own["replicate"].tolist() == list(range(50, 100))
    return own[measure].to_numpy()


def test_what_is_not_changed_is_the_study(config, block_of, rows):
    _, settings, data = block_of
    columns = block(settings, config.study, 50, data)
    kind = settings.compress.weights
    for network, name, width in (
        ("original", "original", 16),
        ("original_twice", "original_twice", 16),
        ("compressed", "compressed", 8),
        ("finetuned", "finetuned", 8),
        ("random_finetuned", f"random_{kind}_finetuned", 8),
        ("scratch_twice", "scratch_twice", 8),
    ):
        for measure in ("loss", "accuracy"):
            own = scores_of(rows, network, measure, width=width)
            assert_array_equal(own, columns[f"{name}_population_{measure}"], err_msg=name)


def test_every_network_of_the_plan_is_there(rows):
    assert list(rows.columns) == list(COLUMNS)
    there = rows.groupby(["arm", "network"])["first_width"].agg(lambda widths: sorted(set(widths)))
    assert there["as it is", "finetuned"] == [1, 3, 8]
    assert there["centred", "scratch_twice"] == [1, 3, 8]
    assert there["orthogonal", "random_finetuned"] == [8]
    assert there["orthogonal", "original_twice"] == [16]
    assert sorted(set(rows["arm"])) == ["as it is", "centred", "orthogonal"]


def test_the_chosen_strength_is_one_of_those_tried(rows):
    chosen = scores_of(rows, "decayed", decay=None)
    weak, strong = (scores_of(rows, "decayed", decay=decay) for decay in (0.1, 10.0))
    assert ((chosen == weak) | (chosen == strong)).all()


def test_centred_inputs_have_mean_0_where_they_were_trained(block_of):
    *_, data = block_of
    changed = centred(data)
    assert_allclose(changed["train"][0].mean(axis=1), 0, atol=1e-12)
    difference = data["population"][0] - changed["population"][0]
    assert_allclose(difference, np.broadcast_to(difference[:, :1], difference.shape), atol=1e-12)
    assert_array_equal(changed["test"][1], data["test"][1])


def test_the_orthogonal_rule_says_nothing_of_the_mean(block_of):
    *_, data = block_of
    assert alternating(30).sum() == 0
    x, y = orthogonal(data)["population"]
    assert_array_equal(x, data["population"][0])
    assert_array_equal(y, (x[..., ::2].sum(axis=-1) > x[..., 1::2].sum(axis=-1)).astype(float))
    assert 0.3 < y.mean() < 0.7


def test_networks_that_diverge_are_left_out(config, block_of):
    variant, settings, data = block_of
    x, y = data["train"]
    x = x.copy()
    x[7] = 1e200
    rows = trials(variant, settings, config.diagnose, 50, {**data, "train": (x, y)})
    lost = rows[rows["replicate"] == 57]
    plain = lost[(lost["arm"] == "as it is") & (lost["network"] == "original")]
    assert plain[["loss", "accuracy", "train_loss"]].isna().all(axis=None)
    others = rows[(rows["replicate"] != 57) & (rows["arm"] == "as it is")]
    assert not others[["loss", "accuracy", "train_loss"]].isna().any(axis=None)
