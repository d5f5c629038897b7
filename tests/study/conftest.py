"""One tiny study for all tests: two variants of the smoke experiment, two epochs."""

from pathlib import Path

import pytest
import threadpoolctl
import yaml

from mini_exp.config import load_config
from mini_exp.study.replicates import chunk
from tests.reliability.conftest import tried

__all__ = ["tried"]

SMOKE = Path(__file__).parents[2] / "configs" / "smoke.yaml"


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """As in a worker: threads that wait for each other's share of a small product take longer."""
    with threadpoolctl.threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def config_file(tmp_path_factory):
    settings = yaml.safe_load(SMOKE.read_text(encoding="utf-8"))
    settings["name"] = "tiny"
    settings["data"] = {"n_population": 200}
    settings["train"] = settings["finetune"] = {"epochs": 2}
    variants = settings["variants"]
    settings["variants"] = {name: variants[name] for name in ("published", "corrected_bias")}
    settings["study"] = {"n_population": 200, "rho_num": 3, "resamples": 100}
    path = tmp_path_factory.mktemp("config") / "tiny.yaml"
    path.write_text(yaml.dump(settings, Dumper=_NoAliases, sort_keys=False), encoding="utf-8")
    return path


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


@pytest.fixture(scope="session")
def config(config_file):
    return load_config(config_file)


@pytest.fixture(scope="session")
def hundred(config):
    """Replicates 0 to 99, computed in this process. Only to be looked at."""
    return chunk(config.variants, config.study, 0, 100)
