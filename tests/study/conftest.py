"""One tiny study for all tests: two variants of the smoke experiment, two epochs."""

import shutil
from pathlib import Path

import pytest
import threadpoolctl
import yaml

from mini_exp.settings.reading import load_config
from mini_exp.study.replicates import chunk
from tests.conftest import once
from tests.study.command import Study, cluster, without_study

SMOKE = Path(__file__).parents[2] / "configs" / "smoke.yaml"


@pytest.fixture(scope="package", autouse=True)
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


@pytest.fixture(scope="session")
def undisturbed(config_file, tmp_path_factory):
    """100 replicates by the real command. Only to be looked at."""

    def make(folder):
        study = Study(config_file, folder / "results")
        study.printed = study("--replicates", "100", "--workers", "2", module="mini_exp")
        return study

    return once(tmp_path_factory, "undisturbed", make)


@pytest.fixture
def empty(undisturbed, tmp_path):
    """The steps of the run are there, no study."""
    return without_study(undisturbed, tmp_path / "results")


@pytest.fixture
def finished(undisturbed, tmp_path):
    """A copy of the undisturbed study."""
    shutil.copytree(undisturbed.results, tmp_path / "results")
    return Study(undisturbed.config, tmp_path / "results")


@pytest.fixture(scope="session")
def scheduler():
    """The address of a cluster that some other process runs."""
    with cluster() as (_, address):
        yield address
