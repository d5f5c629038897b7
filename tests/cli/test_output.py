"""What commands print where nobody looks at a bar."""

from __future__ import annotations

import re

import pytest

STEPS = ["gen-mini", "train", "covariance", "estimate-width", "select", "finetune", "report"]


def test_run_prints_a_line_per_step_then_table_1_and_the_report(small):
    lines = small("run").stdout.splitlines()
    steps = [(line[:16].strip(), line[17:32].strip()) for line in lines[:13]]
    assert steps == [
        *(("published", step) for step in STEPS[:-1]),
        *(("corrected_bias", step) for step in STEPS[:-1]),
        ("", "report"),
    ]
    assert lines[13].split() == ["Table", "1", "n", "original", "compressed", "finetuned"]
    assert lines[-1] == f"Report: {small.directory / 'report.html'}"


def test_printed_table_1_has_the_numbers_of_the_file(small):
    printed = small("run").stdout
    rows = (small.directory / "table1.csv").read_text().splitlines()
    header = rows[0].split(",")
    for row in rows[1:]:
        values = dict(zip(header, row.split(","), strict=True))
        stages = (values[stage] for stage in ("original", "compressed", "finetuned"))
        numbers = [f"{float(value):.2f}" for value in stages]
        expected = " +".join([values["measure"], values["n"], *numbers])
        assert re.search(rf"^  {expected}$", printed, re.MULTILINE)


@pytest.mark.parametrize("command", [*STEPS, "run"])
def test_quiet_prints_nothing(small, command):
    result = small(command, "--quiet", "--force")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
