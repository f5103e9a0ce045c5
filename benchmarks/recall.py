"""Times a recall over one memory of 1e3, 1e4 and 1e5 rows, beside what the device's own copy reaches.

    python benchmarks/recall.py [--hidden 512] [--dtype float32] [--repeats 21] [--json]

Bytes counted: each memory row once, the least that any method must read. GB are 1e9 bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from hmt_kernels.dispatch import Backend, recall

ROWS = (1_000, 10_000, 100_000)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time recall over long memories.")
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], default="float32")
    parser.add_argument("--repeats", type=int, default=21)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout and nothing else")
    chosen = parser.parse_args()

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    bench = Bench(device=device, dtype=chosen.dtype, hidden=chosen.hidden, repeats=chosen.repeats)
    backends: list[Backend] = ["torch", "triton"] if device.type == "cuda" else ["torch"]
    copy = copy_speed(device, chosen.repeats)
    runs = [one_size(bench, rows, backend) for rows in ROWS for backend in backends]
    if chosen.json:
        facts = {"machine": machine(device), "hidden": bench.hidden, "dtype": bench.dtype, "copy_gb_per_s": copy}
        print(json.dumps(facts | {"runs": [asdict(run) for run in runs]}))
        return
    print(" · ".join(f"{name} {value}" for name, value in machine(device).items()))
    print(f"hidden {bench.hidden} · {bench.dtype} · a copy here moves {copy:.1f} GB/s, read plus written")
    print(f"{'rows':>8} {'backend':>8} {'median ms':>10} {'GB/s':>8}")
    for run in runs:
        print(f"{run.rows:>8} {run.backend:>8} {run.median_ms:>10.3f} {run.gb_per_s:>8.1f}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What stays the same over all runs."""

    device: torch.device
    dtype: str
    hidden: int
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One size by one back end."""

    rows: int
    backend: str
    median_ms: float
    gb_per_s: float


def one_size(bench: Bench, rows: int, backend: Backend) -> Run:
    torch.manual_seed(rows)
    dtype: torch.dtype = getattr(torch, bench.dtype)
    memories_BND = torch.randn(1, rows, bench.hidden, device=bench.device).to(dtype)
    query_BD = (torch.randn(1, bench.hidden, device=bench.device) / bench.hidden**0.5).to(dtype)
    counts_B = torch.tensor([rows], device=bench.device)
    with torch.inference_mode():
        seconds = median_seconds(
            lambda: recall(query_BD, memories_BND, counts_B, backend=backend), bench.device, bench.repeats
        )
    bytes_read = memories_BND.numel() * memories_BND.element_size()
    return Run(rows=rows, backend=backend, median_ms=seconds * 1e3, gb_per_s=bytes_read / seconds / 1e9)


def copy_speed(device: torch.device, repeats: int) -> float:
    """Gigabytes per second, read plus written, of a copy much larger than any cache."""
    source = torch.ones(64 * 2**20, device=device)
    target = torch.empty_like(source)
    seconds = median_seconds(lambda: target.copy_(source), device, repeats)
    return 2 * source.numel() * source.element_size() / seconds / 1e9


def median_seconds(call: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Wall time of one call with the device drained before and after; the first three are not counted."""
    times = []
    for _ in range(repeats + 3):
        drain(device)
        start = time.perf_counter()
        call()
        drain(device)
        times.append(time.perf_counter() - start)
    return statistics.median(times[3:])


def drain(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def machine(device: torch.device) -> dict[str, object]:
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def cpu_name() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
