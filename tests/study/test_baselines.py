import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.svm import SVC

from mini_exp.study.baselines import baseline_scores

N_REPLICATES = 4
MODELS = {"constant": DummyClassifier, "logistic": LogisticRegression, "svm": SVC}


def sample(rng, n_replicates, n):
    x = rng.standard_normal((n_replicates, n, 6))
    noise = rng.standard_normal((n_replicates, n))
    return x, (x[:, :, 0] + x.mean(axis=2) + noise > 0.3).astype(float)


@pytest.fixture(scope="module")
def data():
    """Training and test sets of every replicate, one population for all."""
    rng = np.random.default_rng(4)
    sizes = {"train": (N_REPLICATES, 40), "test": (N_REPLICATES, 25), "population": (1, 70)}
    return {split: sample(rng, *size) for split, size in sizes.items()}


@pytest.fixture(scope="module")
def found(data):
    return baseline_scores(data)


@pytest.mark.parametrize("split", ["train", "test", "population"])
@pytest.mark.parametrize(
    "baseline", ["constant", "logistic_x", "logistic_mean", "svm_x", "svm_mean"]
)
def test_scores_are_those_of_models_fitted_one_by_one(data, found, baseline, split):
    kind, _, feature = baseline.partition("_")
    for r in range(N_REPLICATES):
        x_train, y_train = (part[r] for part in data["train"])
        x, y = (part[r % len(part)] for part in data[split])
        if feature == "mean":
            x_train, x = (np.array([[np.mean(row)] for row in inputs]) for inputs in (x_train, x))
        model = MODELS[kind]().fit(x_train, y_train)
        name = f"{baseline}_{split}"
        accuracy = accuracy_score(y, model.predict(x))
        assert_allclose(found[f"{name}_accuracy"][r], accuracy, rtol=1e-12)
        if kind != "svm":
            loss = log_loss(y, model.predict_proba(x))
            assert_allclose(found[f"{name}_loss"][r], loss, rtol=1e-9)


def test_a_support_vector_machine_has_no_loss(found):
    assert [name for name in found if name.startswith("svm") and name.endswith("loss")] == []
    assert {values.shape for values in found.values()} == {(N_REPLICATES,)}


@pytest.mark.parametrize(
    ("ones", "accuracy"), [(1, 3 / 5), (2, 3 / 5), (3, 2 / 5)], ids=["few", "a tie", "most"]
)
def test_the_constant_predictor_by_hand(ones, accuracy):
    """It answers ones / 4, and predicts 1 where that exceeds ½; 2 of 5 test labels are 1."""
    x = np.zeros((1, 4, 6))
    y = (np.arange(4) < ones).astype(float)[None]
    test = np.zeros((1, 5, 6)), np.array([[1.0, 1.0, 0.0, 0.0, 0.0]])
    found = baseline_scores({"train": (x, y), "test": test})
    share = ones / 4
    loss = -(2 * np.log(share) + 3 * np.log(1 - share)) / 5
    assert_allclose(found["constant_test_loss"], loss, rtol=1e-14)
    assert_allclose(found["constant_test_accuracy"], accuracy, rtol=1e-14)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_a_training_set_of_one_class(data, label):
    """Warnings are errors: there are none."""
    x, y = data["train"]
    y = y.copy()
    y[1] = label
    found = baseline_scores({**data, "train": (x, y)})
    assert found["constant_test_loss"][1] == np.inf
    assert_allclose(found["constant_test_accuracy"][1], (data["test"][1][1] == label).mean())
    fitted = [name for name in found if name.startswith(("logistic", "svm"))]
    assert len(fitted) == 18
    assert [name for name in fitted if not np.isnan(found[name][1])] == []
    others = baseline_scores(data)
    for name, values in found.items():
        assert_array_equal(np.delete(values, 1), np.delete(others[name], 1), err_msg=name)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_the_constant_predictor_is_right_about_one_class(data, label):
    """Always answering what always comes costs nothing."""
    x, y = data["train"]
    found = baseline_scores({"train": (x, np.full_like(y, label))})
    assert_array_equal(found["constant_train_loss"], np.zeros(N_REPLICATES))
    assert_array_equal(found["constant_train_accuracy"], np.ones(N_REPLICATES))
