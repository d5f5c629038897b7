"""What faults cost `mini-exp study`: at most a chunk, never another result."""

import os
import signal

import psutil
import pytest

from tests.study.command import Study, chunks, cluster, ended, until_first_chunk

WAITS = [pytest.param(f"{kind}://127.0.0.1:9", marks=pytest.mark.long) for kind in ("tcp", "tls")]


def test_a_worker_killed_in_mid_chunk(undisturbed, empty, tried):
    process = empty.started("--replicates", "100", "--workers", "1")
    until_first_chunk(process)
    workers = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "spawn_main" in " ".join(child.cmdline())
    ]
    for worker in workers:
        worker.kill()
    assert len(workers) == 1
    stored = list((empty.folder / "chunks").glob("*.npz"))
    assert len(stored) == 1  # so it was in the middle of the other
    result = ended(process)
    assert (result.code, result.err) == (0, [])
    assert len(chunks(result.out)) == 1
    assert empty.replicates == undisturbed.replicates
    tried("SIGKILL of a study's worker", "success, same bytes")


@pytest.mark.long
def test_a_scheduler_lost_in_mid_study(undisturbed, empty, scheduler, tried):
    with cluster() as (process, address):
        running = empty.started("--replicates", "100", "--scheduler", address)
        until_first_chunk(running)
        process.kill()
        result = ended(running)
    assert (result.code, result.err) == (
        1,
        [
            "mini-exp: study: the scheduler is gone; finished chunks are kept: run the same "
            "command again"
        ],
    )
    assert [path.name for path in empty.folder.iterdir()] == ["chunks"]

    result = empty("--replicates", "100", "--scheduler", scheduler)
    assert (result.code, result.err) == (0, [])
    assert "study: 1 of 2 chunks are there" in result.out
    assert len(chunks(result.out)) == 1
    assert empty.replicates == undisturbed.replicates
    tried("a scheduler that is lost in mid-study", "one line, exit 1; next run: same bytes")


def test_interrupted_and_resumed(undisturbed, empty, scheduler, tried):
    """Ctrl-C reaches the whole group of processes."""
    process = empty.started("--replicates", "100", "--workers", "1")
    until_first_chunk(process)
    os.killpg(process.pid, signal.SIGINT)
    result = ended(process)
    assert (result.code, len(result.err)) == (130, 1)
    assert "interrupted" in result.err[0]
    assert [path.name for path in empty.folder.iterdir()] == ["chunks"]

    result = empty("--replicates", "100", "--scheduler", scheduler)
    assert (result.code, result.err) == (0, [])
    assert "study: 1 of 2 chunks are there" in result.out
    assert len(chunks(result.out)) == 1
    assert empty.replicates == undisturbed.replicates
    tried("SIGINT during study", "exit 130, one line; next run: same bytes")


def test_a_damaged_chunk_is_computed_again(undisturbed, finished, scheduler, tried):
    path = finished.folder / "chunks" / "000050-000100.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (finished.folder / "replicates.csv").unlink()
    result = finished("--replicates", "100", "--scheduler", scheduler)
    assert (result.code, result.err) == (0, [])
    assert "study: 1 of 2 chunks are there" in result.out
    assert chunks(result.out) == [(50, 99)]
    assert finished.replicates == undisturbed.replicates
    tried("a study's chunk with a flipped bit", "computed again, same bytes")


def test_a_variant_of_which_every_replicate_diverges(undisturbed, finished, scheduler):
    """With another learning rate; the chunks of the study that is there are of no use."""
    setting = "variants.corrected_bias.train.learning_rate=1e300"
    result = finished("--replicates", "50", "--scheduler", scheduler, "--set", setting)
    assert (result.code, len(result.err)) == (1, 1)
    assert "every replicate of a variant diverged; lower the learning rate" in result.err[0]
    assert chunks(result.out) == [(0, 49)]
    assert not any("chunks are there" in line for line in result.out)
    assert finished.replicates == undisturbed.replicates


@pytest.mark.parametrize("address", ["nonsense", *WAITS])
def test_an_unreachable_scheduler(config_file, tmp_path, address, tried):
    study = Study(config_file, tmp_path / "results")
    result = study("--scheduler", address)
    assert (result.code, result.out, len(result.err)) == (1, [], 1)
    assert f"--scheduler {address}: cannot be reached" in result.err[0]
    assert not study.folder.exists()
    tried("a scheduler that cannot be reached", "one line, exit 1")
