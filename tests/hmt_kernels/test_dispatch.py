"""Who computes a recall, and what is said when that cannot be."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch

from hmt_kernels.backends import BackendError
from hmt_kernels.dispatch import recall
from hmt_kernels.recall import recall_torch

QUERY_BD, MEMORIES_BND, COUNTS_B = torch.ones(2, 4), torch.ones(2, 3, 4), torch.tensor([3, 1])


@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_on_the_cpu_the_torch_definition_computes(backend: Any) -> None:
    results = recall(QUERY_BD, MEMORIES_BND, COUNTS_B, backend=backend)
    for result, expected in zip(results, recall_torch(QUERY_BD, MEMORIES_BND, COUNTS_B), strict=True):
        assert torch.equal(result, expected)


def test_forcing_triton_on_the_cpu_says_why_it_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    triton = pytest.importorskip("triton", reason="triton has no wheel for this platform")
    monkeypatch.setattr(triton.knobs.runtime, "interpret", False)
    with pytest.raises(BackendError, match="not on a CUDA device"):
        recall(QUERY_BD, MEMORIES_BND, COUNTS_B, backend="triton")


def test_forcing_triton_where_it_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "triton" else found(name))
    with pytest.raises(BackendError, match="not installed"):
        recall(QUERY_BD, MEMORIES_BND, COUNTS_B, backend="triton")


def test_a_broken_triton_is_an_error_and_not_a_silent_change_of_back_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("triton", reason="triton has no wheel for this platform")
    monkeypatch.setitem(sys.modules, "triton.language", None)  # what an import of it then finds
    with pytest.raises(ImportError):
        recall(QUERY_BD, MEMORIES_BND, COUNTS_B, backend="triton")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda q, m, c: (q[:1], m, c), r"\(1, 4\)"),
        (lambda q, m, c: (q, m[0], c), r"memories \(B, N, D\)"),
        (lambda q, m, c: (q, m, c[:1]), r"counts \(B,\)"),
        (lambda q, m, c: (q.long(), m, c), "floating point"),
        (lambda q, m, c: (q, m, c.float()), "integers"),
        (lambda q, m, c: (q, m, c + 1), "between 0 and the 3 rows"),
        (lambda q, m, c: (q, m, c - 2), "between 0 and the 3 rows"),
        (lambda q, m, c: (q.to("meta"), m, c), "move one"),
    ],
    ids=["batch", "memories", "counts", "query dtype", "count dtype", "count too high", "count below 0", "device"],
)
def test_arguments_that_do_not_fit_together_are_refused(
    change: Callable[..., tuple[torch.Tensor, ...]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        recall(*change(QUERY_BD, MEMORIES_BND, COUNTS_B))


def test_an_unknown_back_end_is_refused() -> None:
    with pytest.raises(ValueError, match="'auto', 'torch' or 'triton'"):
        recall(QUERY_BD, MEMORIES_BND, COUNTS_B, backend="cuda")  # type: ignore[arg-type]


def test_the_package_itself_loads_no_torch() -> None:
    import subprocess

    check = "import sys, hmt_kernels; raise SystemExit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False, timeout=60).returncode == 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_auto_takes_triton_on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    from hmt_kernels import recall_operator

    calls = []
    monkeypatch.setattr(recall_operator, "recall_triton", lambda *tensors: calls.append(tensors))
    recall(QUERY_BD.cuda(), MEMORIES_BND.cuda(), COUNTS_B)
    assert len(calls) == 1
