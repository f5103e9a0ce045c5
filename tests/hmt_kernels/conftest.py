"""The device a Triton test runs on: the GPU, or the CPU in a process started under Triton's interpreter."""

from __future__ import annotations

import os

import pytest
import torch

CUDA = pytest.param(
    "cuda",
    marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")],
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "triton_device" in metafunc.fixturenames:
        # Triton reads the variable when it is first imported, and keeps to it for the life of the process.
        metafunc.parametrize("triton_device", ["cpu" if os.environ.get("TRITON_INTERPRET") == "1" else CUDA])
