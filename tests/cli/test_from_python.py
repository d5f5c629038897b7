"""The command line called from Python: what is somebody else's process stays theirs."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys

import pytest

import mini_exp
from mini_exp.cli import group, main
from mini_exp.cli.signals import end_on_signals

# A notebook's kernel lives on after an interrupted cell.
KERNEL = """
import os
import signal
import threading

from mini_exp.cli import main

{preparation}
for _ in range(2):
    timer = threading.Timer(0.0, os.kill, (os.getpid(), signal.SIGINT))
    try:
        main(["status", "nowhere.yaml"], **{options})
    except BaseException as error:
        print(type(error).__name__)
    try:
        timer.start()
        timer.join()
        main(["schema"], **{options})
    except KeyboardInterrupt:
        print("interrupted")
    except SystemExit as error:
        pass
print("alive")
"""


@pytest.mark.parametrize("options", [{}, {"standalone_mode": False}, {"prog_name": "mini-exp"}])
def test_arguments_from_python_leave_signals_alone(monkeypatch, options, capsys):
    called = []
    monkeypatch.setattr(group, "end_on_signals", lambda: called.append(1))
    for arguments, named in (((["--version"],), {}), ((), {"args": ["--version"]})):
        with contextlib.suppress(SystemExit):
            main(*arguments, **named, **options)
    assert called == []
    assert mini_exp.__version__ in capsys.readouterr().out


def test_the_command_line_takes_signals(monkeypatch):
    called = []
    monkeypatch.setattr(group, "end_on_signals", lambda: called.append(1))
    monkeypatch.setattr(group, "open_standard_streams", lambda: None)
    monkeypatch.setattr(sys, "argv", ["mini-exp", "--version"])
    with pytest.raises(SystemExit, match="0"):
        main()
    assert called == [1]


def test_an_interrupted_call_does_not_end_the_process(environment):
    script = KERNEL.format(preparation="", options="{}")
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("alive\n")


def test_where_signals_cannot_be_awaited_they_stay_as_they_are(monkeypatch):
    monkeypatch.delattr(signal, "pthread_sigmask")
    monkeypatch.delattr(signal, "sigwait")
    before = signal.getsignal(signal.SIGINT)
    end_on_signals()
    assert signal.getsignal(signal.SIGINT) is before


def test_the_public_functions_show_in_dir():
    public = {"prune", "save_pruned", "load_pruned", "load_results"}
    public |= {"Recovery", "agreement_of_decisions"}
    assert public <= set(dir(mini_exp))
    assert public == set(mini_exp.__all__)
    assert all(callable(getattr(mini_exp, name)) for name in public)
