"""Ctrl-C and SIGTERM: the process and its workers end at once, in one line."""

from __future__ import annotations

import contextlib
import os
import signal
import threading

from mini_exp.cli.terminal import is_dumb

KEPT = "what had finished is kept"
OURS = ("spawn_main", "--print-to-pdf")  # workers (not their tracker), a browser


def end_on_signals() -> None:
    """From here on Ctrl-C and SIGTERM end the process at once, in one line.

    A thread waits for them. An exception in the main thread would come late in a long call, and
    where an import or Dask swallows or prints it. Files are whole at every moment, and the next
    run clears away what is left, as after a kill.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows: Ctrl-C comes as a KeyboardInterrupt
        return
    numbers = {signal.SIGINT, signal.SIGTERM}  # but for what a background job ignores
    numbers = {number for number in numbers if signal.getsignal(number) != signal.SIG_IGN}
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)  # here, in threads and in child processes
    threading.Thread(target=_end, args=(numbers,), daemon=True).start()


def _end(numbers: set[signal.Signals]) -> None:
    number = signal.sigwait(numbers)
    what = "interrupted" if number == signal.SIGINT else "terminated"
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        terminal = next((os.dup(number) for number in (2, 1) if os.isatty(number)), None)
        os.dup2(nowhere, 1)  # a progress bar is drawn no more
        if terminal is not None:  # show the cursor, which the bar hid; after ^C and the bar
            os.write(terminal, b"\n" if is_dumb() else b"\x1b[?25h\n")
        os.write(2, f"mini-exp: {what}; {KEPT}\n".encode())
        os.dup2(nowhere, 2)  # nobody else has a say in it
        _kill_workers()
    finally:
        os._exit(128 + number)


def _kill_workers() -> None:
    import psutil

    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(name in " ".join(child.cmdline()) for name in OURS):
                child.kill()
