"""What is there is kept, what is missing is computed, whichever command asks."""

import contextlib

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mini_exp.errors import ConfigError, MiniExpError
from mini_exp.study import spread as module
from mini_exp.study.chunks import Chunks
from mini_exp.study.spread import Spread


@pytest.fixture
def computed(monkeypatch):
    """Ranges as they are computed, in this process; at the range that is set it is interrupted."""
    record = {"ranges": [], "lost at": None}

    def in_this_process(client, command, task, ranges):
        for wanted in ranges:
            if wanted == record["lost at"]:
                raise MiniExpError(f"{command}: the scheduler is gone")
            record["ranges"].append(wanted)
            yield wanted, task(*wanted)

    monkeypatch.setattr(module, "cluster", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(module, "computed_chunks", in_this_process)
    return record


def numbers(start, stop):
    return {"number": np.arange(start, stop), "text": np.array(["a"] * (stop - start))}


def spread_of(replicates, say=lambda _: None):
    return Spread("diagnose", replicates, 50, 1, None, say, False)


def complete(replicates, folder, said=None):
    chunks = Chunks(folder, {"for": "this"})
    spread_of(replicates, [].append if said is None else said.append).complete(
        chunks, numbers, lambda _: None
    )
    return chunks


def test_ranges_end_at_the_last_replicate():
    assert spread_of(120).ranges == [(0, 50), (50, 100), (100, 120)]


def test_chunks_come_back_whole(computed, tmp_path):
    arrays = complete(120, tmp_path).arrays(spread_of(120).ranges)
    assert_array_equal(arrays["number"], np.arange(120))
    assert arrays["text"].tolist() == ["a"] * 120


def test_what_is_interrupted_goes_on_where_it_was(computed, tmp_path):
    computed["lost at"] = (50, 100)
    with pytest.raises(MiniExpError, match=r"^diagnose: the scheduler is gone"):
        complete(150, tmp_path)
    assert computed["ranges"] == [(0, 50)]
    computed["lost at"], said = None, []
    complete(150, tmp_path, said)
    assert computed["ranges"] == [(0, 50), (50, 100), (100, 150)]
    assert said[0] == "diagnose: 1 of 3 chunks are there"
    assert said[1].startswith("diagnose: replicates 50–99, 100 of 150")


def test_nothing_is_started_where_nothing_is_missing(computed, tmp_path, monkeypatch):
    complete(100, tmp_path)
    monkeypatch.setattr(module, "cluster", None)
    complete(100, tmp_path)
    assert computed["ranges"] == [(0, 50), (50, 100)]


def test_memory_is_checked_here_only_where_it_is_needed():
    def refuse(free):
        raise ConfigError(f"{free:.0f} bytes are not enough")

    with pytest.raises(ConfigError, match="bytes are not enough"):
        spread_of(50).check_here(refuse)
    elsewhere = Spread("study", 50, 50, 1, "tcp://somewhere:1", lambda _: None, False)
    assert elsewhere.check_here(refuse) is None
