"""What `mini-exp validate` prints is whole, and reads back the same."""

from __future__ import annotations

import pytest
import yaml
from click.testing import CliRunner

from mini_exp.cli import main
from mini_exp.settings.reading import load_config
from mini_exp.settings.sections import Study
from tests.settings.experiment_files import BASE, CONFIGS, loaded, written

CHOICES = ("[4, 2, 2]", "{parameters: 300}", "{rho: 7}")


@pytest.mark.parametrize("choose", CHOICES)
def test_resolved_settings_read_back_the_same(tmp_path, choose):
    text = BASE + f"seed: 7\nselect: {{theta: 0.1}}\nwidth: {{choose: {choose}}}"
    config = loaded(tmp_path, text)
    printed = CliRunner().invoke(main, ["validate", str(tmp_path / "c.yaml")])
    assert (printed.exit_code, printed.stderr) == (0, "")
    assert loaded(tmp_path, printed.stdout) == config


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_committed_config_reads_back_the_same(tmp_path, path):
    config = load_config(path)
    printed = CliRunner().invoke(main, ["validate", str(path)]).stdout
    assert printed == config.as_yaml()
    assert loaded(tmp_path, printed) == config


def test_validate_prints_every_key(tmp_path):
    printed = yaml.safe_load(
        CliRunner().invoke(main, ["validate", str(written(tmp_path, BASE))]).stdout
    )
    settings = loaded(tmp_path, BASE).variants["a"]
    assert printed["variants"]["a"] == settings.model_dump(mode="json")
    assert printed["study"] == Study().model_dump(mode="json")
