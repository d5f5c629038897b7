import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

from mini_exp.errors import TrainingError
from mini_exp.tasks.images import task
from mini_exp.tasks.images.training import (
    CROP_PADDING,
    _augmented,
    loss_and_accuracy,
    seeded,
    training_epochs,
)
from mini_exp.tasks.section import Train


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(dropout=0.0):
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(dropout)),
        *(nn.Flatten(), nn.Linear(36, 3)),
    )


def data(n=22):
    generator = torch.Generator().manual_seed(1)
    y = torch.arange(n) % 3
    return torch.randn(n, 1, 5, 5, generator=generator) + y[:, None, None, None], y


def states(epochs):
    return [state_of(trained) for trained, _ in epochs]


def state_of(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def run(epochs=3, dropout=0.0, seed=5, **settings):
    with seeded(seed, "train order") as rng:
        yield from (
            (copy.deepcopy(trained), loss)
            for trained, loss in training_epochs(
                network(dropout), *data(), rng, epochs, 8, 0.01, **settings
            )
        )


def test_equals_a_plain_loop():
    """Adam on shuffled batches, the last one smaller, with a rate that falls to 0."""
    x, y = data()
    with seeded(5, "train order") as rng:
        expected = network().train()
        optimizer = torch.optim.Adam(expected.parameters())
        losses, step = [], 0
        for _ in range(3):
            order, total = rng.permutation(len(x)), 0.0
            for start in range(0, len(x), 8):
                index = order[start : start + 8]
                optimizer.param_groups[0]["lr"] = 0.01 * (1 + math.cos(math.pi * step / 9)) / 2
                loss = functional.cross_entropy(expected(x[index]), y[index])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += float(loss.detach()) * len(index)
                step += 1
            losses.append(total / len(x))
    found = list(run())
    assert [loss for _, loss in found] == pytest.approx(losses, rel=1e-4)
    assert losses[-1] < losses[0]
    for ours, theirs in zip(found[-1][0].parameters(), expected.parameters(), strict=True):
        assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("augment", [False, True])
def test_the_seed_decides_everything(augment):
    first, again, other = (
        states(run(dropout=0.5, seed=seed, augment=augment))[-1] for seed in (5, 5, 6)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["5.weight"], other["5.weight"])


def test_the_given_network_is_not_changed():
    given, (x, y) = network(0.5).eval(), data()
    before = state_of(given)
    list(training_epochs(given, x, y, np.random.default_rng(0), 1, 8, 0.1))
    assert all(torch.equal(before[name], state_of(given)[name]) for name in before)
    assert not given.training
    assert all(parameter.grad is None for parameter in given.parameters())


def test_half_precision_keeps_the_weights_in_float32():
    (trained, loss), *_ = run(epochs=1, half=True)
    assert {parameter.dtype for parameter in trained.parameters()} == {torch.float32}
    (_, expected), *_ = run(epochs=1)
    assert loss == pytest.approx(expected, rel=0.05)
    assert loss != expected


def test_a_loss_that_is_not_finite():
    x, y = data()
    epochs = training_epochs(network(), x * torch.nan, y, np.random.default_rng(0), 3, 8, 0.01)
    with pytest.raises(TrainingError, match="not finite in epoch 1; lower the learning rate"):
        next(epochs)


def test_seeded_leaves_torch_s_generator_alone():
    before = torch.get_rng_state()
    with seeded(1, "train order"):
        first = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    with seeded(1, "train order", 1):
        other = torch.rand(3)
    with seeded(1, "train order"):
        again = torch.rand(3)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_every_augmented_image_is_a_crop_mirrored_or_not():
    batch = torch.arange(1.0, 1 + 60 * 2 * 3 * 4).reshape(60, 2, 3, 4)
    found = _augmented(batch, np.random.default_rng(0))
    assert found.shape == batch.shape
    padded = functional.pad(batch, (CROP_PADDING,) * 4)
    shifts, mirrored = set(), 0
    for image in range(60):
        matches = [
            (i, j, flip)
            for i in range(2 * CROP_PADDING + 1)
            for j in range(2 * CROP_PADDING + 1)
            for flip in (False, True)
            for crop in [padded[image, :, i : i + 3, j : j + 4]]
            if torch.equal(found[image], crop.flip(2) if flip else crop)
        ]
        assert matches
        if len(matches) == 1:
            ((i, j, flip),) = matches
            shifts.add((i, j))
            mirrored += flip
    assert len(shifts) > 10
    assert 5 < mirrored < 50


def test_scores_by_hand():
    x, y = data(7)
    model = network(0.5).train()
    loss, accuracy = loss_and_accuracy(model, x, y)
    assert model.training
    with torch.no_grad():
        logits = model.eval()(x).double()
    expected = -sum(
        float(row[c]) - math.log(sum(math.exp(v) for v in row.tolist()))
        for row, c in zip(logits, y.tolist(), strict=True)
    )
    assert loss == pytest.approx(expected / 7, rel=1e-9)
    right = sum(int(row.argmax()) == c for row, c in zip(logits, y.tolist(), strict=True))
    assert accuracy == right / 7


def test_scores_in_parts(monkeypatch):
    x, y = data()
    expected = loss_and_accuracy(network(), x, y)
    monkeypatch.setattr("mini_exp.tasks.images.training.SCORED_AT_ONCE", 4)
    assert loss_and_accuracy(network(), x, y) == pytest.approx(expected, rel=1e-6)


def image_samples():
    rng = np.random.default_rng(0)
    return {
        split: (rng.integers(0, 256, (n, 1, 5, 5), dtype=np.uint8), np.arange(n) % 3)
        for split, n in (("train", 22), ("validation", 9), ("test", 5))
    }


def test_every_epoch_is_scored_on_the_validation_images():
    samples, train = image_samples(), Train(epochs=3, batch_size=8, learning_rate=0.01)
    tensors = task.tensors(samples, network())
    with seeded(5, "train order") as rng:
        expected = [
            (copy.deepcopy(trained), loss)
            for trained, loss in training_epochs(network(), *tensors["train"], rng, 3, 8, 0.01)
        ]
    trained, history = task.trained_network(network(), samples, train, 5, "train order")
    assert history["loss"].tolist() == [loss for _, loss in expected]
    scores = [loss_and_accuracy(one, *tensors["validation"]) for one, _ in expected]
    assert history["validation_loss"].tolist() == [loss for loss, _ in scores]
    assert history["validation_accuracy"].tolist() == [accuracy for _, accuracy in scores]
    assert loss_and_accuracy(trained, *tensors["validation"]) == scores[-1]


def test_all_splits_are_standardised_by_the_training_set():
    rng = np.random.default_rng(0)
    samples = {
        split: (rng.integers(0, 256, (n, 2, 3, 3), dtype=np.uint8), np.arange(n))
        for split, n in (("train", 6), ("validation", 3), ("test", 2))
    }
    tensors = task.tensors(samples, network())
    for split, (pixels, classes) in samples.items():
        for channel in range(2):
            values = samples["train"][0][:, channel].astype(float)
            expected = (pixels[:, channel] - values.mean()) / values.std()
            ours = tensors[split][0][:, channel].double().numpy()
            assert_close(ours, expected, rtol=1e-5, atol=1e-5)
        assert tensors[split][1].tolist() == classes.tolist()


@pytest.mark.parametrize(("n_samples", "sizes"), [(7, [3, 3, 1]), (None, [3] * 7 + [1])])
def test_calibration_batches_are_the_first_images(n_samples, sizes):
    samples = image_samples()
    batches = task.calibration_batches(network(), samples, n_samples, 3)
    assert [len(batch) for batch in batches] == sizes
    expected, _ = task.tensors(samples, network())["train"]
    assert torch.equal(torch.cat(batches), expected[:n_samples])


def test_every_split_is_scored():
    samples = image_samples()
    scores = task.scores(network().eval(), samples, None, 0)
    assert [(score.split, score.n) for score in scores] == [
        ("train", 22),
        ("validation", 9),
        ("test", 5),
    ]
    loss, accuracy = loss_and_accuracy(network(), *task.tensors(samples, network())["test"])
    assert (scores[2].loss, scores[2].accuracy) == (loss, accuracy)
