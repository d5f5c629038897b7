import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

from mini_exp.config import ImageCovariance, ImageTrain
from mini_exp.errors import ArtifactError, TrainingError
from mini_exp.image_training import (
    CROP_PADDING,
    _augmented,
    calibration_batches,
    fitted,
    image_scores,
    seeded,
    state_of,
    tensors,
    trained_epochs,
    with_state,
)
from mini_exp.types import Images, ImageSplits, NetworkState


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
    return [state_of(trained).tensors for trained, _ in epochs]


def run(epochs=3, dropout=0.0, seed=5, **settings):
    with seeded(seed, "train order") as rng:
        yield from (
            (copy.deepcopy(trained), loss)
            for trained, loss in trained_epochs(
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
    before = state_of(given).tensors
    list(trained_epochs(given, x, y, np.random.default_rng(0), 1, 8, 0.1))
    assert all(torch.equal(before[name], state_of(given).tensors[name]) for name in before)
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
    epochs = trained_epochs(network(), x * torch.nan, y, np.random.default_rng(0), 3, 8, 0.01)
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
    loss, accuracy = image_scores(model, x, y)
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
    expected = image_scores(network(), x, y)
    monkeypatch.setattr("mini_exp.image_training.SCORED_AT_ONCE", 4)
    assert image_scores(network(), x, y) == pytest.approx(expected, rel=1e-6)


def test_fitted_scores_every_epoch():
    splits = {"train": data(), "validation": data(9)}
    settings = ImageTrain(epochs=3, batch_size=8, learning_rate=0.01)
    with seeded(5, "train order") as rng:
        trained, history = fitted(network(), splits, settings, rng)
    expected = list(run())
    assert history.loss.tolist() == [loss for _, loss in expected]
    scores = [image_scores(one, *splits["validation"]) for one, _ in expected]
    assert history.validation_loss.tolist() == [loss for loss, _ in scores]
    assert history.validation_accuracy.tolist() == [accuracy for _, accuracy in scores]
    assert image_scores(trained, *splits["validation"]) == scores[-1]


def test_all_splits_are_standardised_by_the_training_set():
    rng = np.random.default_rng(0)
    train, validation, test = (
        Images(rng.integers(0, 256, (n, 2, 3, 3), dtype=np.uint8), np.arange(n)) for n in (6, 3, 2)
    )
    found = tensors(ImageSplits(train, validation, test), "cpu")
    assert {name: len(x) for name, (x, _) in found.items()} == {
        "train": 6,
        "validation": 3,
        "test": 2,
    }
    for images, name in ((train, "train"), (test, "test")):
        for channel in range(2):
            values = train.pixels[:, channel].astype(float)
            expected = (images.pixels[:, channel] - values.mean()) / values.std()
            assert_close(
                found[name][0][:, channel].double().numpy(), expected, rtol=1e-5, atol=1e-5
            )
    assert found["test"][1].tolist() == [0, 1]


def test_calibration_batches_are_the_first_images():
    x = torch.arange(10.0).reshape(10, 1, 1, 1)
    batches = calibration_batches(x, ImageCovariance(n_images=7, batch_size=3))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert torch.equal(torch.cat(batches), x[:7])


def test_a_state_comes_back():
    first, second = network(), network()
    nn.init.ones_(first[5].weight)
    state = state_of(first)
    nn.init.zeros_(first[5].weight)
    assert torch.equal(with_state(second, state)[5].weight, torch.ones(3, 36))


def test_a_state_of_another_network():
    state = NetworkState({"5.weight": torch.ones(2, 2)})
    with pytest.raises(ArtifactError, match="does not fit the configured one: ") as caught:
        with_state(network(), state)
    assert "\n" not in str(caught.value)
