"""Which chunks count as finished."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mini_exp.settings.reading import load_config
from mini_exp.study.chunks import study_chunks


def chunks_of(config, folder):
    return study_chunks(config.variants, config.study, folder)


def test_chunks_come_back_one_after_the_other(config, tmp_path):
    finished = chunks_of(config, tmp_path)
    finished.add(50, 60, {"a": np.arange(50.0, 60), "b": np.ones((10, 2, 3))})
    finished.add(0, 50, {"a": np.arange(50.0), "b": np.zeros((50, 2, 3))})
    arrays = chunks_of(config, tmp_path).arrays([(0, 50), (50, 60)])
    assert_array_equal(arrays["a"], np.arange(60.0))
    assert_array_equal(arrays["b"].sum(axis=(1, 2)), 6.0 * (np.arange(60) >= 50))


@pytest.mark.parametrize("damage", ["flipped", "truncated", "gone"])
def test_a_damaged_chunk_is_missing(config, tmp_path, damage):
    finished = chunks_of(config, tmp_path)
    for start in (0, 50):
        finished.add(start, start + 50, {"a": np.arange(50.0)})
    path = tmp_path / "000050-000100.npz"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content if damage == "flipped" else content[:100])
    if damage == "gone":
        path.unlink()
    found = chunks_of(config, tmp_path)
    assert (found.has(0, 50), found.has(50, 100), found.has(0, 100)) == (True, False, False)


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"made_for": 1}', b"\xff\xfe"])
def test_a_damaged_ledger_makes_every_chunk_missing(config, tmp_path, damage):
    finished = chunks_of(config, tmp_path)
    finished.add(0, 50, {"a": np.zeros(50)})
    assert chunks_of(config, tmp_path).has(0, 50)
    (tmp_path / "ledger.json").write_bytes(damage)
    assert not chunks_of(config, tmp_path).has(0, 50)


@pytest.mark.parametrize(
    "override",
    [
        "study.rho_num=4",
        "study.n_population=201",
        "train.epochs=3",
        "seed=1",
        "dtype=float32",
        "variants.published.select.theta=0.3",
    ],
)
def test_a_changed_setting_makes_chunks_stale(config_file, config, tmp_path, override):
    chunks_of(config, tmp_path).add(0, 50, {"a": np.zeros(50)})
    changed = load_config(config_file, [override])
    assert not chunks_of(changed, tmp_path).has(0, 50)
    assert chunks_of(config, tmp_path).has(0, 50)


@pytest.mark.parametrize(
    "override",
    [
        "study.confidence=0.9",
        "study.resamples=50",
        "study.rules.majority=0.6",
        "study.rules.bound_factor=3",
    ],
)
def test_a_changed_rule_leaves_chunks_as_they_are(config_file, config, tmp_path, override):
    chunks_of(config, tmp_path).add(0, 50, {"a": np.zeros(50)})
    assert chunks_of(load_config(config_file, [override]), tmp_path).has(0, 50)
