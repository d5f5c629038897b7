"""Blocks of replicates as tables."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from mini_exp.diagnostics.instruments import chosen_instruments, over_replicates, seen
from mini_exp.diagnostics.replicates import chunk, stages_of_block
from mini_exp.diagnostics.rows import completed, measured
from mini_exp.diagnostics.run import diagnosis_chunks, replicated, tables_of

NAMES = ["confidence", "homogeneity"]


@pytest.fixture(scope="module")
def variants(config):
    return replicated({"published": config.variants["published"]}, config.diagnose)


@pytest.fixture(scope="module")
def arrays(variants, config):
    return chunk(variants, config.diagnose, NAMES, 50, 53)


def test_rows_are_of_the_replicates_that_were_asked_for(arrays):
    tables = tables_of(arrays)
    for rows in tables.values():
        assert sorted(set(rows["replicate"])) == [50, 51, 52]
    assert set(tables["measured"]["instrument"]) == set(NAMES)


def test_nothing_is_an_object(arrays):
    assert {array.dtype.kind for array in arrays.values()} == {"f", "U"}


def test_a_replicate_is_the_same_however_many_there_are(variants, config, arrays):
    more = tables_of(chunk(variants, config.diagnose, NAMES, 50, 60))
    for name, rows in tables_of(arrays).items():
        same = more[name][more[name]["replicate"] < 53].reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, same, check_exact=True)


def test_the_variants_of_replicates_have_the_seed_of_the_diagnosis(variants, config):
    assert variants["published"].seed == config.diagnose.seed
    assert config.variants["published"].seed != config.diagnose.seed


def test_chunks_come_back_as_tables(variants, config, arrays, tmp_path):
    chunks = diagnosis_chunks(variants, config.diagnose, NAMES, tmp_path)
    chunks.add(50, 53, arrays)
    again = diagnosis_chunks(variants, config.diagnose, NAMES, tmp_path)
    for name, rows in tables_of(again.arrays([(50, 53)])).items():
        pd.testing.assert_frame_equal(rows, tables_of(arrays)[name], check_exact=True)
    assert not diagnosis_chunks(variants, config.diagnose, NAMES[:1], tmp_path).has(50, 53)


def test_without_instruments_the_interventions_stay(variants, config):
    tables = tables_of(chunk(variants, config.diagnose, [], 0, 1))
    assert tables["measured"].empty
    assert set(tables["interventions"]["replicate"]) == {0}


def test_a_replicate_that_diverged_is_left_out(config, block_of):
    variant, settings, data = block_of
    x, y = data["train"]
    x = x.copy()
    x[3] = 1e200
    stages = stages_of_block(variant, settings, 50, {**data, "train": (x, y)})
    assert np.flatnonzero(stages.diverged).tolist() == [3]
    for name in over_replicates(chosen_instruments(None)):
        rows = seen(name, stages, config.diagnose)
        assert_array_equal(np.unique(rows["replicate"]), [r for r in range(50, 100) if r != 53])
        assert np.isfinite(rows["estimate"]).any()


def test_an_instrument_may_leave_columns_out():
    rows = completed(pd.DataFrame({"quantity": ["dimension"], "estimate": [3]}), "some")
    (row,) = rows.to_dict(orient="records")
    assert (row["variant"], row["replicate"], row["stage"], row["layer"]) == ("some", 0, "", 0)
    assert np.isnan([row["at"], row["lower"], row["upper"]]).all()


def test_rows_count_the_replicates():
    rows = completed(measured("original", "loss", [1.0, 2.0], 5, lower=[0.0, 1.0]), "some")
    assert rows["replicate"].tolist() == [0, 1]
    assert rows["lower"].tolist() == [0.0, 1.0]
