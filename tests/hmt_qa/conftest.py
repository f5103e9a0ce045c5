"""Models and checkpoints, built once a session."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch

from hmt_qa.app import EMBEDDED_MODEL
from hmt_qa.engine import LocalEngine
from hmt_qa.model.hmt import HMTForCausalLM
from tests.hmt_qa.library import open_qa, three_pages
from tests.hmt_qa.models import save_with_tokenizer, tiny_hmt
from tests.threads import one_thread  # noqa: F401 (a fixture of all tests here)


@pytest.fixture(scope="session")
def tiny() -> Callable[[str], HMTForCausalLM]:
    """The tiny random model of a family; shared, so look but do not change."""
    return cache(tiny_hmt)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Qwen3 with the embedded tokenizer: 16 tokens and 2 memories a segment, 3 segments in its window."""
    model = tiny_hmt(
        "qwen3",
        backbone={"vocab_size": 16384},
        segment_length=16,
        sensory_length=4,
        recall_window=3,
        memories_per_segment=2,
        recall_size=32,
    )
    return save_with_tokenizer(model, tmp_path_factory.mktemp("checkpoints") / "tiny-qwen3")


@pytest.fixture(scope="session")
def engine(checkpoint: Path) -> LocalEngine:
    return LocalEngine(checkpoint, device="cpu", dtype="float32")


@pytest.fixture(scope="session")
def harbour(tmp_path_factory: pytest.TempPathFactory, engine: LocalEngine) -> Path:
    """The home of a library with one document of three pages, read by the tiny model; shared, so only add to it."""
    home = tmp_path_factory.mktemp("harbour")
    with open_qa(home, engine) as opened:
        list(opened.ingest([three_pages(home / "three.txt", filler=1)]))
    return home


@pytest.fixture(scope="session")
def embedded() -> LocalEngine:
    """The model that ships in the package."""
    engine = LocalEngine(EMBEDDED_MODEL, device="cpu", dtype="float32")
    with torch.inference_mode():
        engine.summarise([1])
    return engine
