"""Overrides that are refused, as options and not as the file's text."""

from __future__ import annotations

import pytest

from tests.settings.experiment_files import BASE, assert_one_line, refused, run, written

# The option's value; the key that the message must begin with; what else it must say.
BAD_OVERRIDES = {
    "no equals": ("select.theta", "", "dotted.key=value", "'select.theta'"),
    "no key": ("=1", "", "dotted.key=value", "'=1'"),
    "empty part": ("select..theta=1", "", "dotted.key=value", "'select..theta=1'"),
    "empty text": ("", "", "dotted.key=value", "''"),
    "not YAML": ("seed=[1", "", "not valid YAML"),
    "bad tag": ("seed=!!int ''", "", "not valid YAML"),
    "alias": ("seed=*s", "", "aliases"),
    "no value": ("seed=", "seed:", "an integer", "nothing"),
    "misspelt": ("width.regulariser=abs", "width.regulariser:", "'regularizer'"),
    "unknown section": ("flux.theta=1", "flux:", "unknown key"),
    "key of another section": ("theta=1", "theta:", "'select.theta'"),
    "below a number": ("select.theta.x=1", "select.theta", "a number"),
    "below the name": ("name.x=1", "name", "expected"),
    "wrong type": ("seed=many", "seed:", "an integer", "'many'"),
    "out of range": ("select.theta=2", "select.theta:", "at most 1", "2"),
    "section": ("train=5", "train:", "a mapping", "5"),
    "number as a key": ("train={1: 2}", "train.1:", "expected", "string"),
    "wider than the layer": ("width.choose=[17,3,3]", "width.choose:", "at most 16", "17"),
    "wider in one variant": (
        *("variants.a.width.choose=[17,3,3]", "variants.a.width.choose:", "at most 16", "17"),
    ),
    "out of range in one variant": (
        *("variants.a.select.theta=2", "variants.a.select.theta:", "at most 1", "2"),
    ),
    "rho backwards": ("width.rho.start=99", "width.rho", "start < stop", "99"),
    "published with parameters": ("width.solver=published", "width", "hidden", "'parameters'"),
    "unknown variant": ("variants.b.seed=1", "variants.b.seed:", "a variant of a"),
    "whole variant": ("variants.a={}", "variants.a:", "variants.VARIANT.KEY"),
    "all variants": ("variants={}", "variants:", "variants.VARIANT.KEY"),
    "separator in the name": ("name=a/b", "name:", "'a/b'"),
    "study": ("study.rules.majority=2", "study.rules.majority:", "less than 1", "2"),
    "unknown device": ("device=tpu", "device:", "cpu, cuda or cuda:N", "'tpu'"),
}


@pytest.mark.parametrize("case", BAD_OVERRIDES)
def test_bad_override_is_refused_in_one_line(tmp_path, case):
    option, key, *said = BAD_OVERRIDES[case]
    message = refused(written(tmp_path, BASE), option)
    assert message.startswith("--set")
    assert_one_line(message, message.partition(":")[0], key, *said)


@pytest.mark.parametrize("case", BAD_OVERRIDES)
def test_bad_override_exits_2_and_writes_nothing(tmp_path, case):
    path = written(tmp_path, BASE)
    result = run(path, "--set", BAD_OVERRIDES[case][0])
    assert result.stderr.startswith("mini-exp: --set")
    assert len(result.stderr.splitlines()) == 1
    assert (result.exit_code, result.stdout) == (2, "")
    assert list(tmp_path.iterdir()) == [path]


def test_unknown_device_option_exits_2(tmp_path):
    result = run(written(tmp_path, BASE), "--device", "tpu")
    assert result.exit_code == 2
    assert "device: expected cpu, cuda or cuda:N, got 'tpu'" in result.stderr
