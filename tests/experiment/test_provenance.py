"""What is written down of the machine and the moment."""

import importlib.metadata
import os
import platform

import pytest

import mini_exp
from mini_exp.experiment import provenance


def test_versions_and_platform_are_those_of_this_process():
    made_in = provenance.environment()
    assert made_in["mini_exp"] == mini_exp.__version__
    assert made_in["python"] == platform.python_version()
    assert made_in["cores"] == os.cpu_count()
    for package in ("numpy", "scipy", "torch", "pandas", "matplotlib"):
        assert made_in[package] == importlib.metadata.version(package)


@pytest.mark.parametrize("threads", ["3", None])
def test_it_says_how_many_threads_were_asked_for(monkeypatch, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", threads or "")
    if threads is None:
        monkeypatch.delenv("OMP_NUM_THREADS")
    assert provenance.environment.__wrapped__()["omp_num_threads"] == threads


def test_without_git_there_is_no_revision(monkeypatch):
    monkeypatch.setenv("PATH", "")
    made_in = provenance.environment.__wrapped__()
    assert made_in["git_revision"] == f"installed, version {mini_exp.__version__}"
    assert made_in["git_dirty"] is False
