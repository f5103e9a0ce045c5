"""What a machine can run, and what is refused before it fails halfway."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch

from hmt_qa.errors import ModelTooLarge
from hmt_qa.model import machine
from hmt_qa.model.machine import Machine, free_bytes

CPU = torch.device("cpu")


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A container's memory files, as the kernel shows them."""

    def make(*, limit: object, used: int, files: int = 0) -> None:
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text(f"{used}\n")
        (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {files}\nactive_file 1\ninactive_anon 7\n")
        monkeypatch.setattr(machine, "CGROUP", tmp_path)

    return make


def test_every_choice_left_open_is_filled_in_and_named():
    chosen = Machine.choose(device="cpu", dtype="float32")
    assert (chosen.device, chosen.dtype, chosen.attention, chosen.dtype_name) == (CPU, torch.float32, "sdpa", "float32")
    assert chosen.name == f"cpu float32 sdpa threads={torch.get_num_threads()} torch={torch.__version__}"
    assert Machine.choose(device="cpu").dtype in {torch.float32, torch.bfloat16}


def test_the_number_of_threads_is_part_of_the_name_because_it_changes_last_bits():
    threads = torch.get_num_threads()
    before = Machine.choose(device="cpu").name
    torch.set_num_threads(threads + 1)
    try:
        assert Machine.choose(device="cpu").name != before
    finally:
        torch.set_num_threads(threads)


def test_a_containers_limit_counts_where_it_is_lower_than_the_machines_free_memory(container):
    container(limit=5_000_000, used=3_000_000)
    assert free_bytes(CPU) == 2_000_001


def test_files_a_container_has_read_count_as_free(container):
    container(limit=5_000_000, used=4_999_999, files=4_000_000)
    assert free_bytes(CPU) == 4_000_002


def test_a_container_without_a_limit_has_the_machines_memory(container):
    container(limit="max", used=3_000_000)
    assert free_bytes(CPU) == pytest.approx(psutil.virtual_memory().available, rel=0.2)


def test_a_container_over_its_limit_has_nothing_free(container):
    container(limit=1_000, used=3_000_000)
    assert free_bytes(CPU) == 0


def test_a_model_that_does_not_fit_is_refused_with_both_sizes_and_a_remedy(container):
    container(limit=4_400_000_000, used=1_000_000_000)
    small = Machine.choose(device="cpu", dtype="bfloat16")
    large = Machine.choose(device="cpu", dtype="float32")
    small.require_room(500_000_000, int8=False, what="half a billion")
    with pytest.raises(ModelTooLarge, match=r"needs 3\.7 GB"):
        small.require_room(500_000_000, int8=True, what="half a billion in int8, held twice while it loads")
    with pytest.raises(ModelTooLarge, match=r"needs 4\.2 GB of memory and [34]\.\d GB are free.*Choose a smaller"):
        large.require_room(1_000_000_000, int8=False, what="a billion")
