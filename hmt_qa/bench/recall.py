"""Recall over one memory of a thousand to a million rows, beside the device's own copy and the definition in torch.

Shapes: B memories, here 1 · N rows · D hidden size. Bytes are counted as the least that any method must move: each row
once when looking, and for a gradient once more as it is written. The definition is timed in the same run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from hmt_kernels.backends import Backend
from hmt_kernels.dispatch import recall, strongest
from hmt_kernels.fp8 import FP8, to_fp8
from hmt_qa.bench.limits import COPIED, Limits, measure_limits, this_machine
from hmt_qa.bench.replaying import copies_beyond_cache, seconds_a_call
from hmt_qa.bench.report import Report
from hmt_qa.bench.step import measure_step
from hmt_qa.errors import BenchmarkRefused

ROWS_ON_CPU = (1_000, 10_000, 100_000)
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
    """Time every size in every dtype, and what else a step does.

    Raises `BenchmarkRefused` where the kernels disagree with their definitions.
    """
    setting = (
        f"one memory, hidden {sizes.hidden}; on a GPU calls recorded in a graph, read in turns from beyond its cache"
    )
    report = Report(what="recall", machine=this_machine(device), limits=_limits(device), setting=setting)
    for name in sizes.dtypes:
        for rows in sizes.rows:
            torch.manual_seed(rows)
            memory = Memory.drawn(rows, sizes.hidden, getattr(torch, name), device)
            case = _Case(report, f"{name}, {rows:,} rows", memory)
            case.check()
            case.time_looking()
            if memory.scales_BN is None:
                case.time_learning()
            case.time_top(sizes.top)
            del memory, case  # or two of them would have to fit
    measure_step(report, device, sizes.hidden)
    return report


def _limits(device: torch.device) -> Limits:
    """The copy by the same clock, but not recorded: as a node of a graph it is a slower one (2.4 for 2.9 TB/s)."""
    source = torch.randint(0, 256, (COPIED[device.type],), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    seconds = seconds_a_call([lambda: target.copy_(source)], device, recorded=False)
    return replace(measure_limits(device), copy_bytes=2 * source.numel() / seconds)


@dataclass(frozen=True, slots=True)
class _Case:
    """One size in one dtype, and the report that its figures go to."""

    report: Report
    name: str
    memory: Memory

    def check(self) -> None:
        """Note the prompt's largest error against the definition; refuse to go on where it is more than rounding."""
        prompt_BD, weights_BN = self.memory.looked_into("auto")
        exact_prompt_BD, exact_weights_BN = self.memory.looked_into("torch")
        error = float((prompt_BD.float() - exact_prompt_BD.float()).abs().max())
        of_weights = float((weights_BN - exact_weights_BN).abs().max() / exact_weights_BN.max())
        if not (error <= TOLERANCES[prompt_BD.dtype] and of_weights <= WEIGHTS_TOLERANCE):  # so that NaN is an error
            raise BenchmarkRefused(
                f"Recall over {self.name} is off by {error:.2g}, its weights by {of_weights:.2g} of the largest.",
                subject=self.name,
                remedy="Report this with the machine's name: its kernels compute something else than the definition.",
            )
        self._add("largest error", error, "")

    def time_looking(self) -> None:
        """Prompt and weights, from memory and not from the cache."""
        memories = [self.memory, *_copies(self.memory)]
        with torch.inference_mode():
            times = {
                backend: seconds_a_call([_looking(one, backend) for one in memories], self._device)
                for backend in self._backends
            }
        barred = self.memory.memories_BND.shape[1] == BARRED_ROWS
        self._compare("looking", times, self.memory.size, (0.8, 3) if barred else (None, None))

    def time_learning(self) -> None:
        """The gradient of query and memories, launched call by call: of few rows this is the time of launching."""
        query_BD = self.memory.query_BD.clone().requires_grad_()
        memories_BND = self.memory.memories_BND.clone().requires_grad_()
        times = {}
        for backend in self._backends:
            prompt_BD, _ = recall(query_BD, memories_BND, self.memory.counts_B, backend=backend)
            gradient = partial(
                torch.autograd.grad, prompt_BD, (query_BD, memories_BND), torch.randn_like(prompt_BD), retain_graph=True
            )
            times[backend] = seconds_a_call([gradient], self._device, recorded=False)
        self._compare("gradient", times, 2 * self.memory.size)

    def time_top(self, top: int) -> None:
        """The strongest of the weights, also as torch finds them, which does not say which of equals."""
        _, weights_BN = self.memory.looked_into("auto")
        top = min(top, weights_BN.shape[1])
        calls = {
            f"the {top} strongest": lambda: strongest(weights_BN, self.memory.counts_B, top),
            f"the {top} strongest, torch.topk": lambda: weights_BN.topk(top),
        }
        for name, call in calls.items():
            self._add(name, seconds_a_call([call], self._device) * 1e6, "us")

    @property
    def _device(self) -> torch.device:
        return self.memory.memories_BND.device

    @property
    def _backends(self) -> tuple[Backend, ...]:
        return ("auto", "torch") if self._device.type == "cuda" else ("auto",)  # else both are the definition

    def _compare(
        self,
        doing: str,
        times: dict[Backend, float],
        moved: int,
        bars: tuple[float | None, float | None] = (None, None),
    ) -> None:
        self._add(doing, times["auto"] * 1e6, "us")
        share = moved / times["auto"] / self.report.limits.copy_bytes
        self._add(f"{doing}, share of the copy's bandwidth", share, "", bar=bars[0])
        if "torch" in times:
            self._add(f"{doing}, times eager torch", times["torch"] / times["auto"], "times", bar=bars[1])

    def _add(self, figure: str, value: float, unit: str, *, bar: float | None = None) -> None:
        self.report.add(f"{self.name}: {figure}", value, unit, bar=bar)


def _looking(memory: Memory, backend: Backend) -> Callable[[], object]:
    return lambda: memory.looked_into(backend)


def _copies(memory: Memory) -> list[Memory]:
    """As many more as it takes that none is still in the cache at its turn."""
    count = copies_beyond_cache(memory.size, memory.memories_BND.device) - 1
    return [replace(memory, memories_BND=memory.memories_BND.clone()) for _ in range(count)]
