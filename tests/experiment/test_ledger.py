"""Which parts of a long computation count as finished."""

import json

import pytest

from mini_exp.errors import ArtifactError
from mini_exp.experiment.ledger import LEDGER, Ledger

MADE_FOR = {"settings": {"seed": 1, "keep": (0.5, 1 / 3)}, "code": {"seeds": "ab"}}


@pytest.fixture
def folder(tmp_path):
    ledger = Ledger(tmp_path / "parts", MADE_FOR)
    for name in ("000.csv", "001.csv"):
        ledger.add(name, name.encode())
    return tmp_path / "parts"


def test_a_part_that_was_added_is_there_for_the_next_process(folder):
    ledger = Ledger(folder, MADE_FOR)
    assert ledger.has("001.csv")
    assert ledger.content("001.csv") == b"001.csv"


def test_a_part_that_was_not_added_is_not_there(folder):
    assert not Ledger(folder, MADE_FOR).has("002.csv")
    with pytest.raises(ArtifactError, match=r"002.csv: cannot be read: No such file"):
        Ledger(folder, MADE_FOR).content("002.csv")


def test_a_file_that_nobody_added_does_not_count(folder):
    (folder / "002.csv").write_bytes(b"")
    assert not Ledger(folder, MADE_FOR).has("002.csv")


@pytest.mark.parametrize(
    "other",
    [{}, {**MADE_FOR, "code": {"seeds": "cd"}}, {**MADE_FOR, "more": None}],
    ids=["nothing", "another value", "another key"],
)
def test_parts_made_for_something_else_do_not_count(folder, other):
    ledger = Ledger(folder, other)
    assert not ledger.has("000.csv")
    ledger.add("001.csv", b"new")
    assert not Ledger(folder, MADE_FOR).has("000.csv")
    assert Ledger(folder, other).content("001.csv") == b"new"


def test_anew_no_part_counts(folder):
    ledger = Ledger(folder, MADE_FOR, anew=True)
    assert not ledger.has("000.csv")
    ledger.add("001.csv", b"001.csv")
    assert not Ledger(folder, MADE_FOR).has("000.csv")


@pytest.mark.parametrize("spoil", ["damaged", "removed"])
def test_a_spoilt_part_does_not_count_and_the_others_do(folder, spoil):
    if spoil == "removed":
        (folder / "000.csv").unlink()
    else:
        (folder / "000.csv").write_bytes(b"0")
    ledger = Ledger(folder, MADE_FOR)
    assert not ledger.has("000.csv")
    assert ledger.has("001.csv")


def test_a_spoilt_part_is_refused_by_name(folder):
    ledger = Ledger(folder, MADE_FOR)
    (folder / "000.csv").write_bytes(b"0")
    with pytest.raises(ArtifactError, match=r"000.csv: damaged or replaced"):
        ledger.content("000.csv")


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b"null", b"\xff", b"3", b"[" * 100_000),
        json.dumps({"made_for": json.loads(json.dumps(MADE_FOR))}).encode(),
        json.dumps({"made_for": json.loads(json.dumps(MADE_FOR)), "parts": 3}).encode(),
    ],
    ids=lambda content: repr(content[:20]),
)
def test_a_ledger_that_cannot_be_read_lets_no_part_count(folder, content):
    (folder / LEDGER).write_bytes(content)
    ledger = Ledger(folder, MADE_FOR)
    assert not ledger.has("000.csv")
    ledger.add("000.csv", b"again")
    assert Ledger(folder, MADE_FOR).content("000.csv") == b"again"


def test_nothing_is_written_before_a_part_is_added(tmp_path):
    ledger = Ledger(tmp_path / "parts", MADE_FOR)
    assert not ledger.has("000.csv")
    assert list(tmp_path.iterdir()) == []


def test_the_order_in_which_parts_were_added_leaves_no_trace(folder):
    before = (folder / LEDGER).read_bytes()
    ledger = Ledger(folder, MADE_FOR, anew=True)
    for name in ("001.csv", "000.csv"):
        ledger.add(name, name.encode())
    assert (folder / LEDGER).read_bytes() == before
