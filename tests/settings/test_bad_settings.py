"""Settings that are refused: each in one line that names the key."""

from __future__ import annotations

import pytest

from tests.settings.experiment_files import (
    BASE,
    assert_one_line,
    assert_refused,
    refused,
    run,
    written,
)

# Text of the file; the key that the message must begin with; what else it must say.
BAD_SETTINGS = {
    "unknown key": (BASE + "flux: 1\n", "flux:", "unknown key"),
    "misspelt": (BASE + "width: {regulariser: abs}", "width.regulariser:", "'regularizer'"),
    "misspelt section": (BASE + "trian: {epochs: 1}", "trian:", "unknown key", "'train'"),
    "misspelt in a variant": (
        *("name: x\nvariants: {a: {width: {sover: exact}}}", "variants.a.width.sover:"),
        "'solver'",
    ),
    "misspelt rule": (BASE + "width: {choose: {roh: 1}}", "width.choose.roh:", "'rho'"),
    "key of another section": (BASE + "theta: 1", "theta:", "'select.theta'"),
    "key of an outer section": (BASE + "width: {rho: {solver: exact}}", "width.rho.solver:"),
    "text for a number": (BASE + "seed: many", "seed:", "an integer", "'many'"),
    "number for a section": (BASE + "train: 5", "train:", "a mapping", "5"),
    "nothing for a section": (BASE + "train:", "train:", "a mapping", "nothing"),
    "list for a section": (BASE + "train: [1]", "train:", "a mapping", "[1]"),
    "mapping for a number": (BASE + "seed: {a: 1}", "seed:", "an integer", "a mapping"),
    "fraction for a count": (BASE + "train: {epochs: 2.5}", "train.epochs:", "integer", "2.5"),
    "flag for a count": (BASE + "train: {epochs: true}", "train.epochs:", "integer", "True"),
    "number for a flag": (BASE + "model: {bias: 1}", "model.bias:", "true or false", "1"),
    "quoted number": (BASE + "select: {theta: '1'}", "select.theta:", "a number", "'1'"),
    "number for a choice": (BASE + "dtype: 64", "dtype:", "'float64' or 'float32'", "64"),
    "unknown choice": (BASE + "select: {scope: all}", "select.scope:", "'full'", "'all'"),
    "unknown solver": (BASE + "width: {solver: magic}", "width.solver:", "'exact'", "'magic'"),
    "text for widths": (BASE + "model: {widths: wide}", "model.widths:", "a list", "'wide'"),
    "text for choose": (BASE + "width: {choose: 8}", "width.choose:", "a list of widths", "8"),
    "zero samples": (BASE + "data: {n_train: 0}", "data.n_train:", "at least 1", "0"),
    "negative samples": (BASE + "data: {n_test: -9}", "data.n_test:", "at least 1", "-9"),
    "no population": (BASE + "data: {n_population: 0}", "data.n_population:", "at least 1", "0"),
    "zero epochs": (BASE + "finetune: {epochs: 0}", "finetune.epochs:", "at least 1", "0"),
    "zero batch": (BASE + "train: {batch_size: 0}", "train.batch_size:", "at least 1", "0"),
    "zero width": (BASE + "model: {widths: [4, 0, 4]}", "model.widths.1:", "at least 1", "0"),
    "negative width": (BASE + "width: {choose: [8, -3, 3]}", "width.choose.1:", "at least 1", "-3"),
    "no widths": (BASE + "model: {widths: []}", "model.widths:", "at least one", "[]"),
    "nothing chosen": (BASE + "width: {choose: []}", "width.choose:", "at least one", "[]"),
    "zero learning rate": (
        *(BASE + "train: {learning_rate: 0}", "train.learning_rate:", "more than 0"),
        "0",
    ),
    "negative epsilon": (BASE + "data: {epsilon: -0.1}", "data.epsilon:", "at least 0", "-0.1"),
    "negative ridge": (BASE + "compress: {ridge: -1}", "compress.ridge:", "at least 0", "-1"),
    "negative seed": (BASE + "seed: -1", "seed:", "at least 0", "-1"),
    "huge seed": (BASE + f"seed: {2**63}", "seed:", "less than", str(2**63)),
    "wider than the layer": (
        *(BASE + "width: {choose: [8, 13, 3]}", "width.choose:"),
        *("at most 12", "layer 2", "13"),
    ),
    "too few widths": (BASE + "width: {choose: [8, 3]}", "width.choose:", "3 widths", "got 2"),
    "too many widths": (BASE + "width: {choose: [8, 3, 3, 1]}", "width.choose:", "3", "got 4"),
    "wider in a variant": (
        *("name: x\nvariants: {a: {width: {choose: [17, 3, 3]}}}", "variants.a.width.choose:"),
        *("at most 16", "17"),
    ),
    "bad item in a variant": (
        *("name: x\nvariants: {a: {width: {choose: [8, 3, z]}}}", "variants.a.width.choose"),
        *("an integer", "'z'"),
    ),
    "nothing in a variant": (
        *("name: x\nvariants: {a: {select: {theta: }}}", "variants.a.select.theta:"),
        *("a number", "nothing"),
    ),
    "rho starts at 0": (BASE + "width: {rho: {start: 0}}", "width.rho.start:", "more than 0", "0"),
    "negative rho": (BASE + "width: {rho: {start: -1}}", "width.rho.start:", "more than 0", "-1"),
    "no rho": (BASE + "width: {rho: {num: 0}}", "width.rho.num:", "at least 1", "0"),
    "rho backwards": (
        BASE + "width: {rho: {start: 9, stop: 2}}",
        "width.rho:",
        "start < stop",
        "9",
    ),
    "one rho many times": (
        BASE + "width: {rho: {start: 2, stop: 2}}",
        "width.rho:",
        "start < stop",
    ),
    "chosen rho is 0": (
        BASE + "width: {choose: {rho: 0}}",
        "width.choose.rho:",
        "more than 0",
        "0",
    ),
    "alpha above 1": (
        *(BASE + "width: {choose: {information: 1.5}}", "width.choose.information:"),
        *("at most 1", "1.5"),
    ),
    "alpha is 0": (
        *(BASE + "width: {choose: {information: 0}}", "width.choose.information:"),
        *("more than 0", "0"),
    ),
    "no parameters": (
        *(BASE + "width: {choose: {parameters: 0}}", "width.choose.parameters:"),
        *("at least 1", "0"),
    ),
    "part of a parameter": (
        *(BASE + "width: {choose: {parameters: 2.5}}", "width.choose.parameters:"),
        *("a whole number, or a share in (0, 1]", "2.5"),
    ),
    "share that is 0": (
        *(BASE + "width: {choose: {flops: 0.0}}", "width.choose.flops:"),
        *("a whole number, or a share in (0, 1]", "0.0"),
    ),
    "text for parameters": (
        *(BASE + "width: {choose: {parameters: few}}", "width.choose.parameters:"),
        *("a whole number, or a share in (0, 1]", "'few'"),
    ),
    "flag for parameters": (
        *(BASE + "width: {choose: {parameters: true}}", "width.choose.parameters:"),
        *("a whole number, or a share in (0, 1]", "True"),
    ),
    "two rules": (
        *(BASE + "width: {choose: {rho: 1, parameters: 9}}", "width.choose:"),
        *("exactly one of keep, parameters, flops, information, rho, got"),
    ),
    "no rule": (BASE + "width: {choose: {}}", "width.choose:", "exactly one of", "got none"),
    "empty rule": (BASE + "width: {choose: {keep: }}", "width.choose:", "exactly one of"),
    "rho of whole layers": (
        *(BASE + "width: {choose: {rho: 1}}\ncovariance: {flattened: true}", "width.choose.rho:"),
        "covariance.flattened: false",
    ),
    "slices with an intercept": (
        *(BASE + "compress: {weights: slice, intercept: true}", "compress:"),
        "weights: reconstruct",
    ),
    "theta above 1": (BASE + "select: {theta: 1.01}", "select.theta:", "at most 1", "1.01"),
    "theta below 0": (BASE + "select: {theta: -0.01}", "select.theta:", "at least 0", "-0.01"),
    "theta not a number": (
        BASE + "select: {theta: .nan}",
        "select.theta:",
        "a finite number",
        "nan",
    ),
    "infinite epsilon": (BASE + "data: {epsilon: .inf}", "data.epsilon:", "a finite number", "inf"),
    "overflowing epsilon": (
        BASE + "data: {epsilon: 1e999}",
        "data.epsilon:",
        "a finite number",
        "inf",
    ),
    "absurd size": (BASE + "data: {n_train: 10000001}", "data.n_train:", "at most", "10000001"),
    "misspelt rule of the study": (
        *(BASE + "study: {rules: {majorty: 1}}", "study.rules.majorty:", "'majority'"),
    ),
    "misspelt rule in another section": (
        *(BASE + "study: {majority: 0.5}", "study.majority:", "'study.rules.majority'"),
    ),
    "no late rho": (BASE + "study: {rules: {late_rho: 0}}", "study.rules.late_rho:", "more than 0"),
    "number for the study": (BASE + "study: 5", "study:", "a mapping", "5"),
    "study in a variant": (
        *("name: x\nvariants: {a: {study: {rho_num: 5}}}", "variants.a.study:", "unknown key"),
    ),
    "confidence above 1": (
        *(BASE + "study: {confidence: 95}", "study.confidence:", "less than 1", "95"),
    ),
    "unknown device": (BASE + "device: tpu", "device:", "cpu, cuda or cuda:N", "'tpu'"),
    "device with a newline": (BASE + 'device: "cpu\\n"', "device:", "cpu, cuda or cuda:N"),
    "published with parameters": (
        BASE + "width: {solver: published}",
        *("width", "hidden", "'parameters'"),
    ),
}


@pytest.mark.parametrize("case", BAD_SETTINGS)
def test_bad_setting_is_refused_in_one_line_and_nothing_is_written(tmp_path, case):
    text, *said = BAD_SETTINGS[case]
    assert_refused(written(tmp_path, text), *said)


def test_every_problem_has_a_line(tmp_path):
    path = written(tmp_path, BASE + "seed: many\nselect: {theta: 2}")
    lines = refused(path).splitlines()
    assert [line.removeprefix(f"{path}: ").partition(":")[0] for line in lines] == [
        "seed",
        "select.theta",
    ]
    assert len(run(path).stderr.splitlines()) == 2


def test_shared_problem_is_told_once(tmp_path):
    path = written(tmp_path, "name: x\nseed: many\nvariants: {a: {}, b: {}}")
    assert_one_line(refused(path), str(path), "seed:")
