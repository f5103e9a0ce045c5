"""Recall over one memory of a thousand to a million rows, beside the device's own copy and the definition in torch.

Shapes: B memories, here 1 · N rows · D hidden size. Bytes are counted as the least that any method must move: each row
once when looking, and for a gradient once more as it is written. The definition is timed in the same run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hmt_kernels.dispatch import Backend, recall
from hmt_kernels.fp8 import FP8, to_fp8
from hmt_qa.bench.limits import COPIED, Limits, measure_limits, this_machine
from hmt_qa.bench.replaying import copies_beyond_cache, seconds_a_call
from hmt_qa.bench.report import Report
from hmt_qa.errors import BenchmarkRefused

BARRED_ROWS = 1_000_000  # the size the project's two bars are about
TOLERANCES = {torch.float32: 1e-5, torch.float16: 1e-3, torch.bfloat16: 8e-3}
WEIGHTS_TOLERANCE = 1e-3  # of the largest weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What is measured. `dtypes` by torch's names; those of 8 bits have a scale a row."""

    hidden: int = 512
    rows: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    dtypes: tuple[str, ...] = ("float32", "float16", "bfloat16", "float8_e4m3fn")
    top: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A query and what it looks into."""

    query_BD: Tensor
    memories_BND: Tensor
    counts_B: Tensor
    scales_BN: Tensor | None

    @classmethod
    def drawn(cls, rows: int, hidden: int, dtype: torch.dtype, device: torch.device) -> Memory:
        """Random numbers, whose softmax has a peak and a long tail."""
        query_BD = torch.randn(1, hidden, device=device) * 2 / hidden**0.5
        memories_BND, scales_BN = torch.randn(1, rows, hidden, device=device), None
        if dtype == FP8:
            memories_BND, scales_BN = to_fp8(memories_BND)
        counts_B = torch.tensor([rows], device=device)
        return cls(query_BD=query_BD, memories_BND=memories_BND.to(dtype), counts_B=counts_B, scales_BN=scales_BN)

    @property
    def size(self) -> int:
        """Bytes of the rows."""
        return self.memories_BND.nbytes

    def looked_into(self, backend: Backend) -> tuple[Tensor, Tensor]:
        """Prompt and weights."""
        return recall(self.query_BD, self.memories_BND, self.counts_B, scales_BN=self.scales_BN, backend=backend)


def measure_recall(device: torch.device, sizes: Sizes) -> Report:
    """Time every size in every dtype. Raises `BenchmarkRefused` where the kernels disagree with the definition."""
    setting = (
        f"one memory, hidden {sizes.hidden}; on a GPU calls recorded in a graph, read in turns from beyond its cache"
    )
    report = Report(what="recall", machine=this_machine(device), limits=_limits(device), setting=setting)
    for name in sizes.dtypes:
        for rows in sizes.rows:
            torch.manual_seed(rows)
            memory = Memory.drawn(rows, sizes.hidden, getattr(torch, name), device)
            what = f"{name}, {rows:,} rows"
            report.add(f"{what}: largest error", largest_error(memory, what), "")
            _time_looking(report, what, memory)
            if name != "float8_e4m3fn":
                _time_learning(report, what, memory)
            _time_top(report, what, memory, sizes.top)
            del memory  # or two of them would have to fit
    return report


def _limits(device: torch.device) -> Limits:
    """The copy timed as recall is: not launching it makes it some percent faster, too."""
    source = torch.randint(0, 256, (COPIED[device.type],), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    seconds = seconds_a_call([lambda: target.copy_(source)], device)
    return replace(measure_limits(device), copy_bytes=2 * source.numel() / seconds)


def largest_error(memory: Memory, what: str) -> float:
    """Of the prompt's numbers, against the definition; refuses to go on where it is more than rounding."""
    prompt_BD, weights_BN = memory.looked_into("auto")
    exact_prompt_BD, exact_weights_BN = memory.looked_into("torch")
    error = float((prompt_BD.float() - exact_prompt_BD.float()).abs().max())
    weights_error = float((weights_BN - exact_weights_BN).abs().max() / exact_weights_BN.max())
    if not (
        error <= TOLERANCES[prompt_BD.dtype] and weights_error <= WEIGHTS_TOLERANCE
    ):  # so that NaN is an error, too
        raise BenchmarkRefused(
            f"Recall over {what} is off by {error:.2g}, its weights by {weights_error:.2g} of the largest.",
            subject=what,
            remedy="Report this with the machine's name: its kernels compute something else than the definition.",
        )
    return error


def _time_looking(report: Report, what: str, memory: Memory) -> None:
    others = [memory, *_copies(memory)]

    def seconds_with(backend: Backend) -> float:
        with torch.inference_mode():
            return seconds_a_call([_looking(one, backend) for one in others], memory.memories_BND.device)

    _note(report, what, "looking", memory, seconds_with, memory.size)


def _time_learning(report: Report, what: str, memory: Memory) -> None:
    _note(report, what, "gradient", memory, lambda backend: _seconds_of_gradient(memory, backend), 2 * memory.size)


def _seconds_of_gradient(memory: Memory, backend: Backend) -> float:
    """Launched call by call, unlike the rest: of few rows this is the time of launching."""
    query_BD = memory.query_BD.clone().requires_grad_()
    memories_BND = memory.memories_BND.clone().requires_grad_()
    prompt_BD, _ = recall(query_BD, memories_BND, memory.counts_B, backend=backend)
    wanted_BD = torch.randn_like(prompt_BD)
    return seconds_a_call(
        [lambda: torch.autograd.grad(prompt_BD, (query_BD, memories_BND), wanted_BD, retain_graph=True)],
        memories_BND.device,
        recorded=False,
    )


def _time_top(report: Report, what: str, memory: Memory, top: int) -> None:
    _, weights_BN = memory.looked_into("auto")
    top = min(top, weights_BN.shape[1])
    seconds = seconds_a_call([lambda: weights_BN.topk(top)], weights_BN.device)
    report.add(f"{what}: the {top} strongest of its weights", seconds * 1e6, "us")


def _looking(memory: Memory, backend: Backend) -> Callable[[], object]:
    return lambda: memory.looked_into(backend)


def _copies(memory: Memory) -> list[Memory]:
    """As many more as it takes that none is still in the cache at its turn."""
    count = copies_beyond_cache(memory.size, memory.memories_BND.device) - 1
    return [
        Memory(
            query_BD=memory.query_BD,
            memories_BND=memory.memories_BND.clone(),
            counts_B=memory.counts_B,
            scales_BN=memory.scales_BN,
        )
        for _ in range(count)
    ]


def _note(
    report: Report, what: str, doing: str, memory: Memory, seconds_with: Callable[[Backend], float], moved: int
) -> None:
    barred = doing == "looking" and memory.memories_BND.shape[1] == BARRED_ROWS
    seconds = seconds_with("auto")
    share = moved / seconds / report.limits.copy_bytes
    report.add(f"{what}: {doing}", seconds * 1e6, "us")
    report.add(f"{what}: {doing}, share of the copy's bandwidth", share, "", bar=0.8 if barred else None)
    if memory.memories_BND.is_cuda:  # elsewhere it is the definition that computes
        ratio = seconds_with("torch") / seconds
        report.add(f"{what}: {doing}, times eager torch", ratio, "times", bar=3 if barred else None)
