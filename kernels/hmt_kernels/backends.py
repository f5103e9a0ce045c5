"""Who may compute: the torch definitions, or Triton's kernels where they can; knows no kernel."""

from __future__ import annotations

import importlib.util
from typing import Literal, get_args

import torch

Backend = Literal["auto", "torch", "triton"]


class BackendError(RuntimeError):
    """The back end that was forced cannot compute this; the message says why and names the remedy."""


def takes_triton(backend: Backend, device: torch.device, obstacle: str = "") -> bool:
    """Whether Triton's kernels compute: `auto` takes them on CUDA where they can.

    `obstacle` is why they cannot compute this, whatever the machine; empty where they can. Raises `ValueError` for an
    unknown back end, `BackendError` where Triton is forced and cannot, and whatever a broken installation raises.
    """
    if backend not in get_args(Backend):
        raise ValueError(f"Unknown backend {backend!r}. Use 'auto', 'torch' or 'triton'.")
    if backend == "torch" or (backend == "auto" and device.type != "cuda"):
        return False
    reason = _missing(str(device)) or obstacle
    if reason and backend == "triton":
        raise BackendError(f"Triton cannot compute this: {reason}. Use backend='auto' or 'torch'.")
    return not reason


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]  # a compiler has nothing to trace here
def _missing(device: str) -> str:
    """What Triton lacks here, or nothing. A broken installation is no obstacle: its import error is shown."""
    if importlib.util.find_spec("triton") is None:
        return "triton is not installed"
    import triton.language

    if not device.startswith("cuda") and not triton.knobs.runtime.interpret:
        return f"the tensors are on {device}, not on a CUDA device"
    return ""
