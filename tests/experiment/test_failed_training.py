"""Training that fails leaves what was there."""

from tests.experiment.running import failed


def test_diverged_training_names_variant_and_epoch_and_keeps_what_was_there(small):
    before = small.identities()
    message = failed(small("run", "--set", "variants.corrected_bias.train.learning_rate=1e300"))
    assert "corrected_bias: train:" in message
    assert "nan in epoch 1" in message
    assert small.identities() == before


def test_diverged_training_from_nothing_keeps_the_data_set(empty, small_finished):
    message = failed(empty("run", "--set", "train.learning_rate=1e300"))
    assert "published: train: the loss became nan in epoch 1" in message
    kept = {path.name for path in empty.paths()}
    assert kept == {"dataset.npz", "manifest.json"}
    assert set(empty.digests().items()) <= set(small_finished.digests().items())


def test_diverged_fine_tuning_keeps_the_earlier_artifacts(small):
    before = small.identities()
    message = failed(small("finetune", "--set", "finetune.learning_rate=1e300"))
    assert "published: finetune: the loss became nan in epoch 1" in message
    assert small.identities() == before


def test_activations_that_overflow_name_the_variant(small):
    before = small.identities()
    change = "variants.corrected_bias.train.learning_rate=1e70"
    message = failed(small("run", "--set", change))
    assert "corrected_bias" in message
    assert "internal error" not in message
    assert {path: small.identities()[path] for path in before if "published" in str(path)} == {
        path: identity for path, identity in before.items() if "published" in str(path)
    }
