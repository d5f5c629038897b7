import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.errors import ConfigError
from mini_exp.pruning.selection import first_channels
from mini_exp.seeds import generator
from mini_exp.settings.reading import load_config
from mini_exp.settings.sections import Choose
from mini_exp.settings.settings import Settings
from mini_exp.spectral.output_weight import scaled_output_matrix
from mini_exp.steps import covariance, data, estimate_width, finetune, select, train
from mini_exp.study.networks import random_paths
from mini_exp.study.replicates import BLOCK, block, chunk, sampled_data, study_widths
from mini_exp.tasks.mini.network import initial_stack
from mini_exp.tasks.mini.training import sample_orders
from mini_exp.tasks.section import Train
from tests import oracles

VARIANTS = ["published", "corrected_bias"]
STAGES = [
    "original",
    "original_twice",
    "compressed",
    "finetuned",
    "scratch",
    "scratch_twice",
    "random_slice",
    "random_slice_finetuned",
    "random_reconstruct",
    "random_reconstruct_finetuned",
]
SPLITS = ["train", "test", "population"]


def same_bits(found, expected):
    return found.dtype == expected.dtype and found.tobytes() == expected.tobytes()


def different(found, expected):
    """Names of the arrays that are not the same to the last bit."""
    assert found.keys() == expected.keys()
    return [name for name in found if not same_bits(found[name], expected[name])]


def widths(settings, **section):
    return settings.model_copy(update={"width": settings.width.model_copy(update=section)})


class Steps:
    """Replicate 0 of a variant, step by step, as `mini-exp run` does it."""

    def __init__(self, settings):
        self.settings = settings
        (self.samples,) = data.run(settings)
        self.original, self.history = train.run(settings, self.samples)
        (self.moments,) = covariance.run(settings, self.original, self.samples)
        (self.path,) = estimate_width.run(settings, self.moments)
        self.selection, self.compressed = select.run(
            settings, self.samples, self.original, self.moments, self.path
        )
        _, _, self.evaluations = finetune.run(
            settings, self.samples, self.original, self.selection, self.compressed
        )

    def parameters(self, kind):
        """Weights or biases of the original network, layer after layer."""
        return [tensor.numpy() for name, tensor in self.original.items() if name.endswith(kind)]


@pytest.fixture(scope="module")
def steps(config):
    """With as many values of ρ as the study takes."""
    found = {}
    for variant, settings in config.variants.items():
        rho = settings.width.rho.model_copy(update={"num": config.study.rho_num})
        found[variant] = Steps(widths(settings, rho=rho))
    return found


# A replicate depends on nothing but its number


@pytest.mark.parametrize(("start", "stop"), [(0, 50), (0, 60), (50, 100)])
def test_replicates_are_the_same_bits_in_every_chunk(config, hundred, start, stop):
    found = chunk(config.variants, config.study, start, stop)
    assert different(found, {name: all_[start:stop] for name, all_ in hundred.items()}) == []


def test_variants_are_the_same_bits_without_the_other_variants(config, hundred):
    alone = {"corrected_bias": config.variants["corrected_bias"]}
    found = chunk(alone, config.study, 0, 1)
    assert different(found, {name: hundred[name][:1] for name in found}) == []


def test_replicates_differ(hundred):
    for variant in VARIANTS:
        for stage in STAGES:
            losses = hundred[f"{variant}.{stage}_population_loss"]
            assert len(set(losses)) > 90, stage  # a dead network's loss is ln 2


def test_a_chunk_has_every_replicate_of_every_array(hundred):
    assert {len(values) for values in hundred.values()} == {100}
    expected = {
        f"{variant}.{stage}_{split}_{measure}"
        for variant in VARIANTS
        for stage in STAGES
        for split in SPLITS
        for measure in ("loss", "accuracy")
    }
    assert expected <= hundred.keys()
    assert hundred["published.widths"].shape == (100, 3, 3)
    assert not any(hundred[f"{variant}.diverged"].any() for variant in VARIANTS)


def test_orders_of_fewer_epochs_are_the_first_of_more():
    few, many = (
        sample_orders([generator(5, "train order", r) for r in range(4)], epochs, 13)
        for epochs in (3, 7)
    )
    assert_array_equal(many[:, :3], few)
    assert_array_equal(np.sort(many, axis=2), np.broadcast_to(np.arange(13), (4, 7, 13)))


# Replicate 0 is what `mini-exp run` computes


def check_scores(columns, evaluations):
    assert len(evaluations) == 9
    for row in evaluations:
        name = f"{row.stage}_{row.split}"
        assert_allclose(columns[f"{name}_loss"][0], row.loss, rtol=1e-9, err_msg=name)
        assert_allclose(columns[f"{name}_accuracy"][0], row.accuracy, rtol=1e-9, err_msg=name)
    compressed = next(row for row in evaluations if row.stage == "compressed")
    assert set(columns["parameters"]) == {compressed.parameters}


@pytest.mark.parametrize("variant", VARIANTS)
def test_replicate_0_has_the_scores_of_the_steps(hundred, steps, variant):
    own = {name.removeprefix(f"{variant}."): values for name, values in hundred.items()}
    check_scores(own, steps[variant].evaluations)


@pytest.mark.parametrize(
    "overrides",
    [
        ["covariance.n_samples=20"],
        ["covariance.batch_size=30"],
        ["compress.intercept=true"],
        ["compress.intercept=true", "model.bias=false"],  # which gives biases to some layers
        ["compress.sequential=true"],
    ],
    ids=" ".join,
)
def test_replicate_0_has_the_scores_of_the_steps_with_other_settings(config_file, overrides):
    config = load_config(config_file, [f"variants.corrected_bias.{text}" for text in overrides])
    settings = config.variants["corrected_bias"]
    columns = block(settings, config.study, 0, sampled_data(settings, config.study, 0))
    check_scores(columns, Steps(settings).evaluations)


def test_replicate_0_is_trained_in_the_precision_of_the_steps(config_file, hundred):
    config = load_config(config_file, ["dtype=float32"])
    settings = config.variants["corrected_bias"]
    columns = block(settings, config.study, 0, sampled_data(settings, config.study, 0))
    loss = Steps(settings).evaluations[0].loss
    # A product over a stack may round otherwise than one network's; six steps of Adam follow it.
    assert_allclose(columns["original_train_loss"][0], loss, rtol=1e-5)
    assert loss != hundred["corrected_bias.original_train_loss"][0]


@pytest.mark.parametrize("variant", VARIANTS)
def test_replicate_0_has_the_widths_and_the_information_of_the_steps(hundred, steps, variant):
    own = steps[variant]
    assert_array_equal(hundred[f"{variant}.widths"][0], own.path.width)
    assert_array_equal(hundred[f"{variant}.not_converged"][0], ~own.path.converged)
    at_start = np.isclose(own.path.lambda_, 0.01, rtol=1e-14, atol=0).all(axis=1)
    assert_array_equal(hundred[f"{variant}.at_start"][0], at_start)
    for layer, kept in enumerate(own.selection.groups, start=1):
        information = kept.information_ratio[-1]
        assert_allclose(hundred[f"{variant}.information_{layer}"][0], information, rtol=1e-9)


@pytest.mark.parametrize("variant", VARIANTS)
def test_exact_widths_solve_the_same_problem_exactly(hundred, steps, variant):
    own = steps[variant]
    (path,) = estimate_width.run(widths(own.settings, solver="exact"), own.moments)
    assert_array_equal(hundred[f"{variant}.exact_widths"][0], path.width)


@pytest.mark.parametrize("variant", VARIANTS)
def test_factor_of_the_bound(hundred, steps, variant):
    """How many λ the loss L^(A) of the first ⌈N(λ)⌉ units of the greedy path is."""
    own = steps[variant]
    for layer, kept in enumerate(own.selection.groups):
        sigma = own.moments.groups.sigma[kept.group.name]
        z, _ = scaled_output_matrix(own.parameters("weight")[layer + 1])
        for k, lambda_ in enumerate(own.path.lambda_[:, layer]):
            n_units = max(int(own.path.width[k, layer]), 1)
            index_set = kept.path.index_path[:n_units].tolist()
            loss, _, _ = oracles.index_set_losses(sigma, z, index_set, 0.5, all_units=True)
            found = hundred[f"{variant}.bound_factor"][0, k, layer]
            # The oracle's loss of all units is rounding, up to 1e-11 of Σ; ours is 0 there.
            assert_allclose(found * lambda_, loss, rtol=1e-6, atol=1e-11 * np.trace(sigma))


@pytest.mark.parametrize("variant", VARIANTS)
def test_twice_the_epochs_are_the_same_training_continued(config, hundred, variant):
    settings = config.variants[variant]
    longer = settings.train.model_copy(update={"epochs": 2 * settings.train.epochs})
    (samples,) = data.run(settings)
    _, history = train.run(settings.model_copy(update={"train": longer}), samples)
    name = f"{variant}.original_twice"
    assert_allclose(hundred[f"{name}_train_loss"][0], history["loss"][-1], rtol=1e-9)
    assert_allclose(hundred[f"{name}_test_accuracy"][0], history["test_accuracy"][-1], rtol=1e-9)


# Controls


@pytest.mark.parametrize("r", [0, 61])
@pytest.mark.parametrize("variant", VARIANTS)
def test_small_networks_are_trained_from_scratch(config, hundred, variant, r):
    settings = config.variants[variant]
    first = r // BLOCK * BLOCK
    x, y = (part[r - first] for part in sampled_data(settings, config.study, first)["train"])
    start = initial_stack(
        (30, 8, 3, 3, 1), settings.model.bias, [generator(settings.seed, "scratch weights", r)]
    ).replicate(0)
    orders = sample_orders([generator(settings.seed, "scratch order", r)], 4, len(x))
    _, _, logits = oracles.trained(
        [layer.weight.detach().numpy() for layer in start.layers],
        [layer.bias.detach().numpy() for layer in start.layers if layer.bias is not None],
        x,
        y,
        orders[0],
        32,
        1e-3,
    )
    for name, epoch in (("scratch", 2), ("scratch_twice", 4)):
        loss, accuracy = oracles.scores(logits[epoch - 1], y)
        assert_allclose(hundred[f"{variant}.{name}_train_loss"][r], loss, rtol=1e-9)
        assert_allclose(hundred[f"{variant}.{name}_train_accuracy"][r], accuracy, rtol=1e-9)


@pytest.mark.parametrize("variant", VARIANTS)
def test_random_units_are_sliced_and_reconstructed(config, hundred, steps, variant):
    settings, own = config.variants[variant], steps[variant]
    rng = generator(settings.seed, "random units", 0)
    index_sets = [
        np.sort(rng.permutation(m)[:width])
        for m, width in zip((16, 12, 10), (8, 3, 3), strict=True)
    ]
    x, y = (part[0] for part in sampled_data(settings, config.study, 0)["population"])
    dense, biases = own.parameters("weight"), own.parameters("bias")
    phi = oracles.forward(dense, biases, own.samples["train"][0])
    for how in ("slice", "reconstruct"):
        weights, small_biases = [], []
        for layer, weight in enumerate(dense):
            part = weight if layer == len(dense) - 1 else weight[index_sets[layer]]
            if biases:
                bias = biases[layer]
                small_biases.append(bias if layer == len(dense) - 1 else bias[index_sets[layer]])
            if layer:
                below = index_sets[layer - 1]
                a = oracles.reconstruction(phi[layer - 1], below)
                part = part[:, below] if how == "slice" else part @ a
            weights.append(part)
        logits = oracles.forward(weights, small_biases, x)[-1][:, 0]
        loss, accuracy = oracles.scores(logits, y)
        name = f"{variant}.random_{how}_population"
        assert_allclose(hundred[f"{name}_loss"][0], loss, rtol=1e-7)
        assert_allclose(hundred[f"{name}_accuracy"][0], accuracy, rtol=1e-9)


def test_random_index_sets_have_the_sizes_of_the_selection(config, steps):
    settings, selection = config.variants["published"], steps["published"].selection
    paths = [kept.path for kept in selection.groups]
    found = first_channels(random_paths(settings, paths, 50), (8, 3, 3))
    assert found.widths == selection.widths
    for kept, width, m in zip(found.groups, (8, 3, 3), (16, 12, 10), strict=True):
        index_sets = kept.index_set
        assert index_sets.shape == (BLOCK, width)
        assert {len(set(row)) for row in index_sets.tolist()} == {width}
        assert (index_sets.min(), index_sets.max()) == (0, m - 1)
        assert len({tuple(row) for row in index_sets.tolist()}) > BLOCK / 2


def test_keeping_all_units_changes_nothing(config):
    """Reconstruction drops units that are dead on the training set: only there is it the same."""
    settings = widths(config.variants["corrected_bias"], choose=(16, 12, 10))
    found = block(settings, config.study, 0, sampled_data(settings, config.study, 0))
    for stage, splits in (
        ("compressed", ["train"]),
        ("random_slice", SPLITS),
        ("random_reconstruct", ["train"]),
    ):
        for split in splits:
            name = f"{split}_loss"
            assert_allclose(found[f"{stage}_{name}"], found[f"original_{name}"], rtol=1e-9)


# What can go wrong


@pytest.mark.parametrize("value", [1e200, np.nan])
@pytest.mark.parametrize("variant", VARIANTS)
def test_diverging_training_is_marked_and_disturbs_no_other(config, hundred, variant, value):
    settings = config.variants[variant]
    samples = sampled_data(settings, config.study, 0)
    samples["train"][0][3] *= value
    found = block(settings, config.study, 0, samples)
    assert_array_equal(found["diverged"], np.arange(BLOCK) == 3)
    scored = [name for name in found if name.endswith(("_loss", "_accuracy"))]
    assert [name for name in scored if not np.isnan(found[name][3])] == []
    others = np.arange(BLOCK) != 3
    undisturbed = {name: hundred[f"{variant}.{name}"][:BLOCK][others] for name in found}
    assert different({name: values[others] for name, values in found.items()}, undisturbed) == []


@pytest.mark.parametrize("rate", ["1e50", "1e300"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_learning_rate_that_is_far_too_large(config_file, variant, rate):
    """Diverged, or all its scores are numbers. Warnings are errors: there are none."""
    config = load_config(config_file, [f"train.learning_rate={rate}"])
    settings = config.variants[variant]
    found = block(settings, config.study, 0, sampled_data(settings, config.study, 0))
    diverged = found["diverged"] == 1
    assert diverged.all() or rate == "1e50"
    for name, values in found.items():
        if name.endswith(("_loss", "_accuracy")):
            assert_array_equal(np.isnan(values), diverged, err_msg=name)
            assert not np.isinf(values).any(), name


@pytest.mark.parametrize("rule", [{"rho": 3.0}, {"parameters": 400}, {"information": 0.9}])
def test_widths_that_differ_between_replicates_are_refused(config, rule):
    settings = Settings.model_validate({"width": {"choose": rule}})
    assert isinstance(settings.width.choose, Choose)
    with pytest.raises(ConfigError, match="explicit widths"):
        study_widths(settings)
    samples = sampled_data(settings, config.study, 0)
    with pytest.raises(ConfigError, match="explicit widths"):
        block(settings.model_copy(update={"train": Train(epochs=1)}), config.study, 0, samples)
