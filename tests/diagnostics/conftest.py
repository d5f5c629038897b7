"""One tiny experiment for all tests: two variants, three epochs, few draws."""

import pytest
import threadpoolctl

from mini_exp.diagnostics.replicates import stages_of_block
from mini_exp.settings.reading import load_config
from mini_exp.study.networks import sampled_data
from tests.conftest import experiment_file

DIAGNOSE = {
    "n_population": 200,
    "seed": 5,
    "first_widths": [1, 3],
    "weight_decay": [0.1, 10],
    "resamples": 100,
}


@pytest.fixture(scope="package", autouse=True)
def one_thread():
    """As in a worker."""
    with threadpoolctl.threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def diagnosed_file(tmp_path_factory):
    return experiment_file(
        tmp_path_factory.mktemp("config") / "why.yaml",
        diagnose=DIAGNOSE,
        study={"n_population": 200, "rho_num": 2, "resamples": 100},
    )


@pytest.fixture(scope="session")
def config(diagnosed_file):
    return load_config(diagnosed_file)


@pytest.fixture(scope="session", params=["published", "corrected_bias"])
def block_of(request, config):
    """A variant, its settings with another seed, and its block's data. Only to be looked at."""
    settings = config.variants[request.param].model_copy(update={"seed": 5})
    return request.param, settings, sampled_data(settings, config.diagnose, 50)


@pytest.fixture(scope="session")
def stages(block_of):
    """Replicates 50 to 99 of a variant. Only to be looked at."""
    variant, settings, data = block_of
    return stages_of_block(variant, settings, 50, data)
