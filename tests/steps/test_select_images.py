"""Step select on images: recovery, θ by held-out samples, what a budget sums up."""

import numpy as np
import pytest
import torch

from mini_exp import prune
from mini_exp.errors import ConfigError
from mini_exp.settings.settings import Settings
from mini_exp.steps import covariance, select
from mini_exp.steps.networks import saved_network
from mini_exp.tasks.images import task
from tests.steps.examples import path_of

PATH = path_of([[1, 1, 1, 1, 1]])


@pytest.fixture(scope="module")
def trained():
    """Images, and the parameters of a network that has seen them for two epochs."""
    config = settings()
    data = task.samples(config.data, config.seed)
    new = task.new_network(config.model, config.data, config.seed)
    network, _ = task.trained_network(new, data, config.train, config.seed, "train order")
    return data, network.state_dict()


def settings(**changes):
    return Settings.model_validate(
        {
            "data": {"kind": "digits", "n_train": 300, "n_validation": 20},
            "train": {"epochs": 2},
            "covariance": {"n_samples": 200, "flattened": False},
            "width": {"choose": {"keep": 0.5}},
            **changes,
        }
    )


def selected(trained, heard=None, **changes):
    config = settings(**changes)
    data, parameters = trained
    (moments,) = covariance.run(config, parameters, data)
    return select.run(config, data, parameters, moments, PATH, heard)


def network_of(trained):
    network = saved_network(settings(), trained[1])
    return network, task.calibration_batches(network, trained[0], 200, 100)


def test_without_steps_nothing_is_recovered(trained):
    selection, _ = selected(trained)
    assert selection.recovered is None


def test_recovery_brings_the_held_out_samples_nearer(trained):
    selection, _ = selected(trained, compress={"recover": {"steps": 30}})
    assert selection.recovered.after < selection.recovered.before
    assert selection.recovered.n == 20


def test_recovery_takes_the_samples_that_it_is_told(trained):
    recover = {"steps": 10, "n_samples": 300}
    selection, _ = selected(trained, compress={"recover": recover})
    assert selection.recovered.n == 30


def test_recovery_is_the_same_twice(trained):
    states = [selected(trained, compress={"recover": {"steps": 10}})[1] for _ in range(2)]
    assert all(torch.equal(x, states[1][name]) for name, x in states[0].items())


def test_recovery_tells_how_far_it_is(trained):
    heard = []
    compress = {"recover": {"steps": 20}}
    selected(trained, lambda *step: heard.append(step[:2]), compress=compress)
    assert heard == [(step, 40) for step in range(2, 41, 2)]


def test_only_readers_move_where_only_they_may(trained):
    compress = {"recover": {"steps": 10, "over": "readers"}}
    _, moved = selected(trained, width={"choose": [8, 16, 32, 32, 64]}, compress=compress)
    _, plain = selected(trained, width={"choose": [8, 16, 32, 32, 64]})
    different = {name for name in plain if not torch.equal(plain[name], moved[name])}
    assert different == {"conv2.weight", "conv2.bias"}


def test_theta_is_that_of_prune_where_samples_decide(trained):
    network, batches = network_of(trained)
    expected, _ = prune(network, batches, keep=0.5, theta="auto")
    _, found = selected(trained, select={"theta": "auto"})
    assert all(torch.equal(x, found[name]) for name, x in expected.state_dict().items())


@pytest.mark.parametrize("losses", ["measured", "spectral"])
def test_budgets_are_those_of_prune(trained, losses):
    network, batches = network_of(trained)
    _, expected = prune(network, batches, parameters=0.3, losses=losses)
    selection, _ = selected(trained, width={"choose": {"parameters": 0.3}, "losses": losses})
    assert selection.widths == expected.widths
    assert selection.predicted_loss == (
        expected.predicted_loss and pytest.approx(expected.predicted_loss, rel=1e-12)
    )


def test_a_budget_without_widths_is_refused_by_its_key(trained):
    with pytest.raises(ConfigError, match=r"^width\.choose: parameters 0\.0001: .*at least 65"):
        selected(trained, width={"choose": {"parameters": 1e-4}})


def test_paths_go_to_their_ends(trained):
    selection, _ = selected(trained)
    for kept in selection.groups:
        assert sorted(kept.path.index_path) == list(np.arange(kept.group.width))
