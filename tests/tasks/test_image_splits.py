import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits

from mini_exp.errors import DomainError, ShapeError
from mini_exp.tasks.images.digits import digit_images
from mini_exp.tasks.images.image_data import Images
from mini_exp.tasks.images.splits import channel_statistics, split_images, standardised

PROPERTY = settings(deadline=None, max_examples=50, derandomize=True)


def rng(seed=0):
    return np.random.default_rng(seed)


def numbered(sizes):
    """Images that hold their own number; class c has sizes[c] of them, in class order."""
    n = sum(sizes)
    pixels = np.arange(n, dtype="<u4").view(np.uint8).reshape(n, 1, 2, 2)
    return Images(pixels, np.repeat(np.arange(len(sizes)), sizes))


def numbers(images):
    return images.pixels.reshape(-1, 4).view("<u4")[:, 0]


def random_images(n=7, channels=3, seed=0):
    return Images(rng(seed).integers(0, 256, (n, channels, 4, 5), np.uint8), np.zeros(n, np.int64))


@PROPERTY
@given(data=st.data(), sizes=st.lists(st.integers(2, 40), min_size=1, max_size=6))
def test_a_split_is_disjoint_stratified_and_of_the_stated_sizes(data, sizes):
    images = numbered([max(size, len(sizes)) for size in sizes])
    n, least = len(images), len(sizes)
    n_validation = data.draw(st.integers(least, n - least))
    n_train = data.draw(st.none() | st.integers(least, n - n_validation))
    train, validation = split_images(images, n_validation, rng(1), n_train)
    assert len(validation) == n_validation
    assert len(train) == (n - n_validation if n_train is None else n_train)
    assert len({*numbers(train), *numbers(validation)}) == len(train) + len(validation)
    class_sizes = np.bincount(images.labels)
    for part in (train, validation):
        assert_array_equal(part.labels, images.labels[numbers(part)])
        counts = np.bincount(part.labels, minlength=least)
        tolerance = 1 if n_train is None else 2
        assert np.abs(counts - class_sizes * len(part) / n).max() < tolerance


@PROPERTY
@given(n_classes=st.integers(1, 8), size=st.integers(8, 30), data=st.data())
def test_equal_classes_differ_by_one_image_at_most(n_classes, size, data):
    images = numbered([size] * n_classes)
    n_validation = data.draw(st.integers(n_classes, len(images) - n_classes))
    n_train = data.draw(st.none() | st.integers(n_classes, len(images) - n_validation))
    for part in split_images(images, n_validation, rng(2), n_train):
        assert np.ptp(np.bincount(part.labels, minlength=n_classes)) <= 1


def test_a_split_follows_the_generator():
    images = numbered([30, 30])
    first, again, other = (split_images(images, 20, rng(seed), 30) for seed in (0, 0, 1))
    for part in range(2):
        assert_array_equal(numbers(first[part]), numbers(again[part]))
        assert not np.array_equal(numbers(first[part]), numbers(other[part]))


def test_a_split_is_shuffled_and_leaves_the_images():
    images = numbered([100, 100])
    for part in split_images(images, 100, rng()):
        assert 20 < (np.diff(part.labels) != 0).sum() < 80  # of 99; in class order it is 1
    assert_array_equal(numbers(images), np.arange(200))


@pytest.mark.parametrize(
    ("n_validation", "n_train"), [(0, None), (-3, None), (18, None), (2, None), (3, 2), (10, 11)]
)
def test_a_split_of_too_few_images(n_validation, n_train):
    kept = 20 - n_validation if n_train is None else n_train
    message = rf"at least 3 .* add up to at most 20, got {kept} and {n_validation}$"
    with pytest.raises(DomainError, match=message):
        split_images(numbered([10, 5, 5]), n_validation, rng(), n_train)


@pytest.mark.parametrize("n_validation", [0, 1])
def test_a_split_of_no_images(n_validation):
    message = f"add up to at most 0, got {-n_validation} and {n_validation}$"
    with pytest.raises(DomainError, match=message):
        split_images(numbered([]), n_validation, rng())


def test_a_class_with_one_image():
    with pytest.raises(DomainError, match=r"at least 2 images of every class, got 1 of 1$"):
        split_images(numbered([5, 1]), 2, rng())


def test_channel_statistics_by_the_definition():
    images = random_images()
    mean, std = channel_statistics(images)
    assert mean.dtype == std.dtype == np.float64
    for channel in range(3):
        values = [float(v) for image in images.pixels for v in image[channel].ravel()]
        expected = sum(values) / len(values)
        assert mean[channel] == pytest.approx(expected, rel=1e-14)
        variance = sum((v - expected) ** 2 for v in values) / len(values)
        assert std[channel] == pytest.approx(variance**0.5, rel=1e-12)


def test_channel_statistics_of_many_bright_pixels():
    """The sums do not fit into 32 bits, and one pixel in ten million is not a constant channel."""
    pixels = np.full((10, 1, 1000, 1000), 255, np.uint8)
    pixels[0, 0, 0, 0] = 254
    mean, std = channel_statistics(Images(pixels, np.zeros(10, np.int64)))
    assert_allclose(mean, 255 - 1e-7, rtol=1e-15)
    assert_allclose(std, np.sqrt(1e-7 * (1 - 1e-7)), rtol=1e-3)


@pytest.mark.parametrize("value", range(0, 256, 15))
def test_a_constant_channel_divides(value):
    pixels = np.full((7, 2, 3, 3), value, np.uint8)
    images = Images(pixels, np.zeros(7, np.int64))
    mean, std = channel_statistics(images)
    assert_array_equal(mean, [value, value])
    assert_array_equal(std, [1, 1])
    assert not standardised(images, mean, std).any()


def test_channel_statistics_of_nothing():
    with pytest.raises(DomainError, match=r"expected pixels, got shape \(0, 3, 4, 5\)"):
        channel_statistics(random_images(0))


def test_standardised_by_the_definition():
    images = random_images(40, seed=3)
    mean, std = channel_statistics(images)
    result = standardised(images, mean, std)
    assert result.dtype == np.float32
    assert result.shape == images.pixels.shape
    for channel in range(3):
        expected = (images.pixels[:, channel].astype(float) - mean[channel]) / std[channel]
        assert_allclose(result[:, channel], expected, rtol=1e-5, atol=1e-6)
    assert_allclose(result.mean((0, 2, 3)), 0, atol=1e-5)
    assert_allclose(result.std((0, 2, 3)), 1, atol=1e-5)


def test_standardised_with_the_numbers_of_other_channels():
    with pytest.raises(ShapeError, match=r"expected mean and std of shape \(3,\), .* \(1,\) and"):
        standardised(random_images(), np.zeros(1), np.ones(3))


def test_digits_are_scikit_learn_s():
    train, test = digit_images(rng())
    assert (train.pixels.shape, test.pixels.shape) == ((1437, 1, 8, 8), (360, 1, 8, 8))
    digits = load_digits()
    expected = sorted(zip(digits.data.astype(int).tolist(), digits.target.tolist(), strict=True))
    ours = [
        (pixels.ravel().tolist(), label)
        for part in (train, test)
        for pixels, label in zip(part.pixels, part.labels.tolist(), strict=True)
    ]
    assert sorted(ours) == expected


def test_digits_have_every_class_in_proportion():
    train, test = digit_images(rng(1))
    share = np.bincount(train.labels) / 1437
    assert_allclose(np.bincount(test.labels) / 360, share, atol=1 / 360)


def test_digits_follow_the_generator():
    first, again, other = (digit_images(rng(seed))[1].pixels for seed in (0, 0, 1))
    assert_array_equal(first, again)
    assert not np.array_equal(first, other)
