"""What one step of reading does beside the model: framing its segments, and remembering.

Shapes: B documents · K sensory tokens · L tokens · M memories a segment · N segments a ring holds · V vocabulary ·
D hidden size. Bytes are the least that any method must move: what is written, and as much that is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from hmt_kernels.backends import Backend
from hmt_kernels.dispatch import frame, remember
from hmt_qa.bench.replaying import seconds_a_call
from hmt_qa.bench.report import Report
from hmt_qa.errors import BenchmarkRefused

DOCUMENTS, SENSORY, LENGTH, MEMORIES, SLOTS, VOCABULARY = 64, 32, 256, 4, 300, 16_384


def measure_step(report: Report, device: torch.device, hidden: int) -> None:
    """Add both in bfloat16; raises `BenchmarkRefused` where the kernels' bits are not those of the definitions."""
    prompt_BMD = torch.randn(DOCUMENTS, MEMORIES, hidden, device=device).bfloat16()
    frames = [_framing(prompt_BMD, backend) for backend in _backends(device)]
    written = DOCUMENTS * (SENSORY + LENGTH + 2 * MEMORIES) * hidden * 2
    _note(report, f"framing {DOCUMENTS} segments", frames, device, written)
    rings = [_remembering(prompt_BMD, backend) for backend in _backends(device)]
    _note(report, f"remembering {DOCUMENTS} segments", rings, device, prompt_BMD.nbytes)


def _backends(device: torch.device) -> tuple[Backend, ...]:
    return ("auto", "torch") if device.type == "cuda" else ("auto",)


def _framing(prompt_BMD: Tensor, backend: Backend) -> Callable[[], Tensor]:
    generator = torch.Generator(prompt_BMD.device).manual_seed(0)
    drawn: dict[str, Any] = {"generator": generator, "device": prompt_BMD.device}
    table_VD = torch.randn(VOCABULARY, prompt_BMD.shape[2], **drawn).bfloat16()
    rows = {
        "sensory_BK": torch.randint(VOCABULARY, (DOCUMENTS, SENSORY), **drawn),
        "sensory_lengths_B": torch.randint(SENSORY + 1, (DOCUMENTS,), **drawn),
        "ids_BL": torch.randint(VOCABULARY, (DOCUMENTS, LENGTH), **drawn),
        "lengths_B": torch.randint(1, LENGTH + 1, (DOCUMENTS,), **drawn),
    }
    return lambda: frame(table_VD, prompt_BMD, **rows, backend=backend)


def _remembering(memory_BMD: Tensor, backend: Backend) -> Callable[[], Tensor]:
    ring_BMND = memory_BMD.new_zeros(*memory_BMD.shape[:2], SLOTS, memory_BMD.shape[2])
    counts_B = torch.arange(DOCUMENTS, device=memory_BMD.device)
    active_B = counts_B % 3 > 0

    def run() -> Tensor:
        remember(ring_BMND, counts_B, memory_BMD, active_B, backend=backend)
        return ring_BMND

    return run


def _note(report: Report, what: str, calls: list[Callable[[], Tensor]], device: torch.device, written: int) -> None:
    with torch.inference_mode():
        if len(calls) > 1 and not torch.equal(calls[0](), calls[1]()):
            raise BenchmarkRefused(
                f"What {what} gives is not what the definition gives.",
                subject=what,
                remedy="Report this with the machine's name: its kernels compute something else.",
            )
        times = [seconds_a_call([call], device) for call in calls]
    report.add(what, times[0] * 1e6, "us")
    report.add(f"{what}, share of the copy's bandwidth", 2 * written / times[0] / report.limits.copy_bytes, "")
    if len(times) > 1:
        report.add(f"{what}, times eager torch", times[1] / times[0], "times")
