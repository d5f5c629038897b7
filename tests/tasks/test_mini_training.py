import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.errors import TrainingError
from mini_exp.tasks.mini.data import mini_dataset
from mini_exp.tasks.mini.network import MiniModel, initial_stack
from mini_exp.tasks.mini.stacked_linear import StackedLinear
from mini_exp.tasks.mini.training import (
    SCORED_AT_ONCE,
    checked,
    sample_orders,
    scores,
    trained_stack,
    training_epochs,
)
from mini_exp.tasks.threads import one_thread
from tests import oracles

WIDTHS = (30, 6, 5, 1)


def generators(purpose, n, first=0):
    return [np.random.default_rng([purpose, first + r]) for r in range(n)]


def problem(bias=True, n=3, first=0, epochs=4, n_train=22, n_test=9):
    return (
        initial_stack(WIDTHS, bias, generators(0, n, first)),
        mini_dataset(generators(1, n, first), n_train, n_test),
        sample_orders(generators(2, n, first), epochs, n_train),
    )


def assert_networks_close(ours, theirs, rtol):
    for one, other in zip(tensors(ours), tensors(theirs), strict=True):
        assert_allclose(one, other, rtol=rtol, atol=1e-15)


def tensors(networks):
    return [parameter.detach() for parameter in networks.parameters()]


def one_layer(weight):
    return MiniModel([StackedLinear(weight)])


# Orders


def test_orders_are_permutations_of_their_own():
    orders = sample_orders(generators(2, 3), 5, 8)
    assert orders.shape == (3, 5, 8)
    assert_array_equal(np.sort(orders, axis=2), np.broadcast_to(np.arange(8), (3, 5, 8)))
    assert len({tuple(epoch) for replicate in orders for epoch in replicate}) == 15


def test_fewer_epochs_are_a_prefix():
    assert_array_equal(
        sample_orders(generators(2, 2), 3, 8), sample_orders(generators(2, 2), 9, 8)[:, :3]
    )


def test_every_sample_comes_first_equally_often():
    first = sample_orders(generators(2, 1), 6000, 6)[0, :, 0]
    counts = np.bincount(first, minlength=6)
    assert (np.abs(counts - 1000) < 150).all()


# Training


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch_size", [5, 8, 22, 100])
def test_equals_an_ordinary_loop(bias, batch_size):
    start, data, orders = problem(bias)
    ours, history = trained_stack(start, data, orders, batch_size, 0.01)
    for r in range(3):
        weights, biases, logits = oracles.trained(
            [layer.weight[r].detach().numpy() for layer in start.stacked_layers],
            [layer.bias[r].detach().numpy() for layer in start.stacked_layers if bias],
            data["train"][0][r],
            data["train"][1][r],
            orders[r],
            batch_size,
            0.01,
        )
        for layer, weight in enumerate(weights):
            assert_allclose(ours.stacked_layers[layer].weight[r], weight, rtol=1e-9, atol=1e-12)
        for layer, expected in enumerate(biases):
            assert_allclose(ours.stacked_layers[layer].bias[r], expected, rtol=1e-9, atol=1e-12)
        for epoch, values in enumerate(logits):
            loss, accuracy = oracles.scores(values, data["train"][1][r])
            assert history["loss"][r, epoch] == pytest.approx(loss, rel=1e-10)
            assert history["accuracy"][r, epoch] == pytest.approx(accuracy)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("r", [0, 2])
def test_a_replicate_learns_in_a_stack_what_it_learns_alone(bias, r):
    stack, stack_history = trained_stack(*problem(bias), 8, 0.01)
    alone, alone_history = trained_stack(*problem(bias, n=1, first=r), 8, 0.01)
    assert_networks_close(stack.replicate(r), alone.replicate(0), rtol=1e-12)
    for name, column in alone_history.items():
        assert_allclose(stack_history[name][r], column[0], rtol=1e-12)


def test_a_replicate_that_diverges_harms_no_other():
    start, data, orders = problem()
    x, y = data["train"]
    broken = x.copy()
    broken[1] = np.nan
    stack, history = trained_stack(start, {**data, "train": (broken, y)}, orders, 8, 0.01)
    healthy, healthy_history = trained_stack(start, data, orders, 8, 0.01)
    assert np.isnan(history["loss"][1]).all()
    for r in (0, 2):
        assert_allclose(history["loss"][r], healthy_history["loss"][r], rtol=1e-12)
        assert_networks_close(stack.replicate(r), healthy.replicate(r), rtol=1e-12)


def test_history_is_the_scores_after_every_epoch():
    start, data, orders = problem(epochs=3)
    for epochs in (1, 2, 3):
        networks, history = trained_stack(start, data, orders[:, :epochs], 8, 0.01)
        assert history["loss"].shape == history["test_accuracy"].shape == (3, epochs)
        loss, accuracy = scores(networks, *data["train"])
        test_loss, test_accuracy = scores(networks, *data["test"])
        assert_array_equal(history["loss"][:, -1], loss)
        assert_array_equal(history["accuracy"][:, -1], accuracy)
        assert_array_equal(history["test_loss"][:, -1], test_loss)
        assert_array_equal(history["test_accuracy"][:, -1], test_accuracy)


def test_epochs_come_one_by_one():
    start, data, orders = problem(epochs=3)
    before = tensors(start)[0].clone()
    epochs = training_epochs(start, *data["train"], orders, 8, 0.01)
    for epoch, current in enumerate(epochs, start=1):
        expected, _ = trained_stack(start, data, orders[:, :epoch], 8, 0.01)
        assert_networks_close(current, expected, rtol=1e-14)
    assert epoch == 3
    assert torch.equal(tensors(start)[0], before)


def test_one_thread_puts_the_number_back():
    def inside():
        assert torch.get_num_threads() == 1
        raise ValueError("inside")

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(ValueError, match="inside"), one_thread():
            inside()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_start_is_left_as_it_is():
    start, data, orders = problem()
    before = [tensor.clone() for tensor in tensors(start)]
    trained, _ = trained_stack(start, data, orders, 8, 0.01)
    for tensor, earlier in zip(tensors(start), before, strict=True):
        assert torch.equal(tensor, earlier)
    assert not torch.equal(tensors(trained)[0], tensors(start)[0])


def test_the_test_set_changes_nothing():
    start, data, orders = problem()
    x, y = data["test"]
    other = {**data, "test": (0 * x, y)}
    ours, _ = trained_stack(start, data, orders, 8, 0.01)
    theirs, _ = trained_stack(start, other, orders, 8, 0.01)
    for one, two in zip(tensors(ours), tensors(theirs), strict=True):
        assert torch.equal(one, two)


def test_the_loss_falls():
    _, history = trained_stack(*problem(epochs=60), 8, 0.01)
    assert (history["loss"][:, -1] < 0.5 * history["loss"][:, 0]).all()
    assert (history["accuracy"][:, -1] > 0.9).all()


def test_single_precision_stays_single():
    start, data, orders = problem()
    single, history = trained_stack(copy.deepcopy(start).float(), data, orders, 8, 0.01)
    double, expected = trained_stack(start, data, orders, 8, 0.01)
    assert all(t.dtype == torch.float32 for t in tensors(single))
    assert history["loss"].dtype == np.float64
    assert_allclose(history["loss"], expected["loss"], rtol=1e-3)
    assert_networks_close(copy.deepcopy(single).double(), double, rtol=0.05)


# Divergence


def history_of(loss):
    loss = np.asarray(loss, dtype=float)
    return {"loss": loss, "accuracy": np.zeros_like(loss)}


def test_a_finite_history_passes_through():
    history = history_of([[3.0, 2.0]])
    assert checked(history) is history


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_the_first_bad_epoch_is_named(bad):
    with pytest.raises(TrainingError, match=rf"loss became {bad} in epoch 2; .*lower the learning"):
        checked(history_of([[1.0, 1.0, 1.0], [1.0, bad, bad]]))


def test_training_that_diverges_is_noticed():
    start, data, orders = problem(epochs=2)
    _, history = trained_stack(start, data, orders, 8, 1e200)
    with pytest.raises(TrainingError, match="in epoch 1; expected a finite one"):
        checked(history)


def test_data_that_are_not_finite_are_noticed():
    start, data, orders = problem(n=1, epochs=2)
    data["train"][0][0, 3, 3] = np.nan
    _, history = trained_stack(start, data, orders, 8, 0.01)
    with pytest.raises(TrainingError, match="loss became nan in epoch 1"):
        checked(history)


# Scores


@pytest.mark.parametrize("bias", [True, False])
def test_scores_match_the_formula(bias):
    networks, data, _ = problem(bias)
    loss, accuracy = scores(networks, *data["train"])
    logits = networks(torch.from_numpy(data["train"][0]))[..., 0].detach().numpy()
    for r in range(3):
        expected_loss, expected_accuracy = oracles.scores(logits[r], data["train"][1][r])
        assert loss[r] == pytest.approx(expected_loss, rel=1e-12)
        assert accuracy[r] == pytest.approx(expected_accuracy, rel=1e-12)


def test_one_sample_for_all_networks():
    networks, data, _ = problem()
    x, y = (values[:1] for values in data["test"])
    ours = scores(networks, x, y)
    theirs = scores(networks, np.repeat(x, 3, axis=0), np.repeat(y, 3, axis=0))
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == (3,)
        assert_allclose(one, other, rtol=1e-14)


def test_scoring_in_parts_is_scoring_at_once():
    n = 2 * SCORED_AT_ONCE + 17
    networks = initial_stack((2, 3, 1), True, generators(0, 2))
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((2, n, 2)), rng.integers(0, 2, (2, n)).astype(float)
    loss, accuracy = scores(networks, x, y)
    logits = networks(torch.from_numpy(x))[..., 0].detach().numpy()
    expected = np.logaddexp(0, np.where(y == 1, -logits, logits)).mean(axis=1)
    assert_allclose(loss, expected, rtol=1e-12)
    assert_allclose(accuracy, ((logits > 0) == (y == 1)).mean(axis=1), rtol=1e-14)


def test_large_logits_are_not_clipped():
    one = one_layer(torch.full((1, 1, 1), 1e4, dtype=torch.float64))
    loss, accuracy = scores(one, np.array([[[1.0], [1.0]]]), np.array([[0.0, 1.0]]))
    assert loss[0] == 5000.0
    assert accuracy[0] == 0.5


def test_probability_of_one_half_predicts_0():
    one = one_layer(torch.zeros(1, 1, 1, dtype=torch.float64))
    loss, accuracy = scores(one, np.ones((1, 2, 1)), np.array([[0.0, 1.0]]))
    assert loss[0] == pytest.approx(np.log(2), rel=1e-15)
    assert accuracy[0] == 0.5
    assert scores(one, np.ones((1, 1, 1)), np.zeros((1, 1)))[1][0] == 1.0
