"""Tries tilings of the recall kernels on a GPU: for the constants of tiling.py and strongest_triton.py.

    python benchmarks/recall_tiles.py [--rows 1000000] [--hidden 512] [--dtype bfloat16]... [--best 12]

The best are printed, with their share of the bandwidth of a copy measured in the same run.
"""

from __future__ import annotations

import argparse
from itertools import product

import torch
import triton

from hmt_kernels import strongest_triton
from hmt_kernels.recall import prompt_dtype
from hmt_kernels.recall_triton import recall_into
from hmt_kernels.tiling import Tiling
from hmt_qa.bench.limits import COPIED
from hmt_qa.bench.recall import Memory
from hmt_qa.bench.replaying import seconds_a_call

ELEMENTS_AND_WARPS = ((1024, 1), (2048, 1), (2048, 2), (2048, 4), (4096, 4), (8192, 8))
STAGES = (1, 3, 4, 6)
WARPS_A_PROCESSOR = (8, 12, 16, 24)
CHUNKS_AND_WARPS = ((256, 1), (512, 1), (512, 2), (1024, 1), (1024, 4), (2048, 4), (2048, 8), (4096, 8))


def main() -> None:
    parser = argparse.ArgumentParser(description="Try tilings of the recall kernel.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--dtype", action="append", choices=["float32", "float16", "bfloat16", "float8_e4m3fn"])
    parser.add_argument("--best", type=int, default=12)
    chosen = parser.parse_args()
    device = torch.device("cuda")
    source = torch.randint(0, 256, (COPIED["cuda"],), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copy = 2 * source.numel() / seconds_a_call([lambda: target.copy_(source)], device, recorded=False)
    print(f"{torch.cuda.get_device_name()}, triton {triton.__version__}: a copy moves {copy / 1e12:.3f} TB/s")
    for dtype in chosen.dtype or ["float32", "bfloat16", "float8_e4m3fn"]:
        memory = Memory.drawn(chosen.rows, chosen.hidden, getattr(torch, dtype), device)
        for seconds, cut, programs in sorted(tried(memory), key=lambda one: one[0])[: chosen.best]:
            share = memory.size / seconds / copy
            print(f"{dtype:>14} {seconds * 1e6:8.1f} us {share:6.3f} of the copy  {programs} a processor  {cut}")

    weights_BN, counts_B = torch.rand(1, chosen.rows, device=device), torch.tensor([chosen.rows], device=device)
    for size, warps in CHUNKS_AND_WARPS:
        strongest_triton.CHUNK_SIZE, strongest_triton.WARPS = size, warps
        seconds = seconds_a_call([lambda: strongest_triton.strongest_triton(weights_BN, counts_B, 64)], device)
        print(f"64 strongest   {seconds * 1e6:8.1f} us  chunks of {size}, {warps} warps")


def tried(memory: Memory) -> list[tuple[float, Tiling, int]]:
    """Seconds, tiling and programs a processor of everything that fits the device."""
    processors = torch.cuda.get_device_properties(0).multi_processor_count
    results = []
    for (elements, warps), stages, busy in product(ELEMENTS_AND_WARPS, STAGES, WARPS_A_PROCESSOR):
        programs = busy // warps
        rows = max(1, elements // triton.next_power_of_2(memory.query_BD.shape[1]))
        cut = Tiling(rows=rows, stages=stages, warps=warps, splits=programs * processors)
        try:
            results.append((timed(memory, cut), cut, programs))
        except triton.OutOfResources as exc:
            print(f"does not fit: {cut}: {exc}")
    return results


def timed(memory: Memory, cut: Tiling) -> float:
    prompt_BD = torch.empty_like(memory.query_BD, dtype=prompt_dtype(memory.query_BD, memory.memories_BND))
    weights_BN = torch.empty(memory.memories_BND.shape[:2], device=prompt_BD.device)
    tensors = (memory.query_BD, memory.memories_BND, memory.counts_B, prompt_BD, weights_BN)
    return seconds_a_call([lambda: recall_into(*tensors, scales_BN=memory.scales_BN, cut=cut)], prompt_BD.device, 5)


if __name__ == "__main__":
    main()
