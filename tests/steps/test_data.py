"""Step gen-mini or load-images."""

import numpy as np
from numpy.testing import assert_array_equal

from mini_exp.seeds import generator
from mini_exp.steps import data
from mini_exp.tasks.mini.data import mini_sample
from tests.steps.examples import settings


def test_mini_is_drawn_as_the_settings_say():
    section = {"n_train": 12, "n_test": 5, "epsilon": 0.4, "labels": "swapped"}
    (drawn,) = data.run(settings(data=section))
    x, y = mini_sample(generator(3, "data"), 17, 0.4, "swapped")
    assert_array_equal(drawn["train"][0], x[:12])
    assert_array_equal(drawn["test"][1], y[12:])


def test_digits_are_cut_into_three_sets_of_the_stated_sizes():
    section = {"kind": "digits", "n_train": 200, "n_validation": 50}
    (loaded,) = data.run(settings(data=section, model={}, width={}))
    assert {split: len(x) for split, (x, _) in loaded.items()} == {
        "train": 200,
        "validation": 50,
        "test": 360,
    }
    assert loaded["train"][0].dtype == np.uint8
