"""The processes that compute chunks."""

import os

from mini_exp.study.cluster import cluster


def test_a_local_worker_has_one_thread_and_keeps_its_memory():
    with cluster(1, None) as client:
        own = client.submit(os.getenv, "MALLOC_TRIM_THRESHOLD_", pure=False).result()
        threads = client.submit(os.getenv, "OMP_NUM_THREADS", pure=False).result()
    assert (own, threads) == (os.environ.get("MALLOC_TRIM_THRESHOLD_"), "1")
