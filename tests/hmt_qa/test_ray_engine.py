"""Documents spread over workers become what the local engine makes of them, also where workers are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from hmt_qa.app import DocumentQA
from hmt_qa.types import ClusterOptions, IngestOptions, IngestStatus, JobState
from tests.hmt_qa.models import save_with_tokenizer, tiny_hmt

KILL_SECONDS = 2.0
MOST_KILLS = 3


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    sizes = {"vocab_size": 16_384, "max_position_embeddings": 512}
    return save_with_tokenizer(tiny_hmt("llama", backbone=sizes, segment_length=32), tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def cluster():
    """One Ray for all tests of this file: it takes seconds to start."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1"}
    ray = pytest.importorskip("ray")
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield ClusterOptions()
    ray.shutdown()


@pytest.fixture
def opened_on(cluster, model, tmp_path):
    """Opens a library at an URL, or in a file, whose documents are read by workers."""
    choice = {"model": model, "device": "cpu", "dtype": "float32", "cluster": cluster}
    return lambda database="": DocumentQA.open(tmp_path / "home", database=database, **choice)


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(8):
        words = (f"Line {line} of file {number} tells of the sea." for line in range(12 * (number + 1)))
        (folder / f"{number}.txt").write_text("\n".join(words))
    return folder


def contents(qa):
    """Of each document: bytes, chain of states, text and setting."""
    found = {}
    for document in qa.documents():
        stored = qa.library.memory(document.id)
        text = qa.library.text(document.id, 0, 2**31)
        found[document.path] = stored.rows, list(qa.library.state_ids(document.id)), text, stored.state_id
    return found


@pytest.fixture
def local(model, files, tmp_path):
    """What the local engine makes of the files, with the threads that a worker has."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with DocumentQA.open(tmp_path / "local", model=model, device="cpu", dtype="float32") as qa:
        list(qa.ingest([files], options=IngestOptions(workers=1)))
        yield contents(qa)
    torch.set_num_threads(threads)


def test_killed_workers_lose_no_document_and_change_no_byte(opened_on, files, local, postgres_url):
    killed, last, done = [], time.monotonic(), 0

    def chaos(job):
        """Kill one of those at work every few seconds, once something was committed since the last."""
        nonlocal last, done
        committed = sum(job.segments_done for job in qa.jobs())
        if len(killed) < MOST_KILLS and time.monotonic() - last > KILL_SECONDS and committed > done:
            _, pid, *_ = job.owner.split()  # `process 123 on host`
            os.kill(int(pid), signal.SIGKILL)
            killed.append(pid)
            last, done = time.monotonic(), committed

    with opened_on(postgres_url) as qa:
        results = list(qa.ingest([files], on_progress=chaos))
        assert sorted(result.path for result in results) == sorted(local)
        assert {result.status for result in results} <= {IngestStatus.INGESTED, IngestStatus.RESUMED}
        assert contents(qa) == local
        assert {job.state for job in qa.jobs()} == {JobState.DONE}
        assert all(verdict.ok for verdict in qa.verify())
    assert killed


def test_workers_write_a_library_in_a_file_stop_when_nobody_listens_and_go_on(opened_on, files, local):
    (files / "broken.pdf").write_bytes(b"%PDF-1.7 and no more")
    with opened_on() as qa:
        results = qa.ingest([files])
        next(results)
        results.close()
        assert JobState.RUNNING not in {job.state for job in qa.jobs()}
        results = {result.path: result for result in qa.ingest([files])}
        broken = results.pop(str(files / "broken.pdf"))
        assert (broken.status, bool(broken.error)) == (IngestStatus.FAILED, True)
        assert IngestStatus.FAILED not in {result.status for result in results.values()}
        assert contents(qa) == local
        foreseen = list(qa.ingest([files], options=IngestOptions(dry_run=True, exclude=("*.pdf",))))
        assert {result.status for result in foreseen} == {IngestStatus.UNCHANGED}


def test_a_cluster_that_is_not_there_is_named_with_a_remedy(model, files, tmp_path):
    code = (
        "import sys; from pathlib import Path; from hmt_qa.app import DocumentQA; "
        "from hmt_qa.types import ClusterOptions; from hmt_qa.errors import ClusterUnusable\n"
        "qa = DocumentQA.open(sys.argv[1], cluster=ClusterOptions(address='127.0.0.1:1'))\n"
        "try: list(qa.ingest([sys.argv[2]]))\n"
        "except ClusterUnusable as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "home", files], capture_output=True, text=True, timeout=60, check=True
    )
    assert "no cluster at 127.0.0.1:1" in done.stdout
    assert "--ray-address" in done.stdout
