"""A changed setting runs again what depends on it, and nothing else."""

import pytest

from tests.experiment.running import STEPS, VARIANTS, steps_run, succeeded

AFTER_TRAIN = {"train", "covariance", "estimate-width", "select", "finetune"}
CHANGES = {
    "seed=2": (set(STEPS), set(STEPS)),
    "data.epsilon=0.2": (set(STEPS), set(STEPS)),
    "data.n_train=90": (set(STEPS), set(STEPS)),
    "train.epochs=4": (AFTER_TRAIN, AFTER_TRAIN),
    "dtype=float32": (AFTER_TRAIN, AFTER_TRAIN),
    # The published Σ is a sum already, the published network is sliced already, …
    "covariance.scale=sum": (set(), {"covariance", "estimate-width", "select", "finetune"}),
    "compress.weights=slice": (set(), {"select", "finetune"}),
    # The sweep's file changes, so units are selected again: the same ones, so nothing follows.
    "width.rho.num=4": ({"estimate-width", "select"}, {"estimate-width", "select"}),
    "width.choose=[4,2,2]": ({"select", "finetune"}, {"select", "finetune"}),
    # θ enters the losses of the published selection, not its choice of units; they share a file.
    "select.theta=0": ({"select", "finetune"}, {"select", "finetune"}),
    "finetune.epochs=4": ({"finetune"}, {"finetune"}),
    "data.n_population=400": ({"finetune"}, {"finetune"}),
    "variants.published.seed=2": (set(STEPS), set()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_setting_runs_what_depends_on_it(small, another, change):
    result = succeeded(small("run", "--set", change))
    assert steps_run(result.stdout) == {
        ("", "report"),
        *(
            (name, step)
            for name, steps in zip(VARIANTS, CHANGES[change], strict=True)
            for step in steps
        ),
    }
    anew = another(small)
    succeeded(anew("run", "--set", change))
    assert small.digests() == anew.digests()


@pytest.mark.parametrize("change", ["select.theta=0", "train.epochs=4", "width.choose.rho=3.3"])
def test_changing_a_setting_and_back_restores_every_byte(small, small_finished, change):
    succeeded(small("run", "--set", change))
    assert small.digests() != small_finished.digests()
    succeeded(small("run"))
    assert small.digests() == small_finished.digests()


@pytest.mark.parametrize("change", ["device=cpu", "select.theta=0.5", "name=small"])
def test_setting_spelt_out_as_it_was_changes_nothing(small, change):
    assert steps_run(succeeded(small("run", "--set", change)).stdout) == set()


def test_another_name_is_another_directory(small):
    before = small.identities()
    succeeded(small("gen-mini", "--set", "name=other"))
    assert (small.results / "other" / "published" / "dataset.npz").is_file()
    assert {path: small.identities()[path] for path in before} == before


def test_status_says_which_setting_changed(small):
    before = small.identities()
    lines = succeeded(small("status", "--set", "select.theta=0.25")).stdout.splitlines()
    assert [line.split()[2] for line in lines[6:12]] == [*["fresh"] * 4, "stale", "stale"]
    assert "select.theta was 0.5, is 0.25" in lines[10]
    assert "select comes first" in lines[11]
    assert lines[12].split()[:2] == ["report", "stale"]
    assert small.identities() == before
