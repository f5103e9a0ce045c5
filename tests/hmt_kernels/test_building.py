"""The kernels build for an H100 on a machine without one: what the interpreter accepts, the compiler may not."""

from __future__ import annotations

from typing import Any

import pytest

triton = pytest.importorskip("triton", reason="triton has no wheel for this platform")

H100 = ("cuda", 90, 32)
TILE = {"HIDDEN": 512, "WIDTH": 512, "ROWS": 8, "STAGES": 4}
NUMBERS = {"counts_ptr": "*i64", "padded_rows": "i32", "splits": "i32", "memory_stride": "i64"}


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp8e4nv"])
def test_recall_loads_16_bytes_at_once_with_tiles_in_flight(dtype: str) -> None:
    from hmt_kernels.recall_triton import _split_kernel

    built = build(_split_kernel, {"memories_ptr": f"*{dtype}"}, TILE | {"SCALED": dtype == "fp8e4nv"})
    loads = [line for line in built.asm["ptx"].splitlines() if "cp.async.cg.shared.global" in line]
    assert loads
    assert all(", 0x10," in line for line in loads)


def test_the_joining_of_splits_builds() -> None:
    from hmt_kernels.recall_triton import _finish_kernel

    build(
        _finish_kernel,
        {"prompt_ptr": "*bf16"},
        {"HIDDEN": 512, "SPLITS": 512, "ROWS": 2048, "COLUMNS": 16},
        warps=8,
    )


@pytest.mark.parametrize("last", [True, False])
def test_a_round_of_the_strongest_builds(last: bool) -> None:
    from hmt_kernels.strongest_triton import _strongest_kernel

    pointers = {"kept_ptr": "*fp32", "given_ptr": "*i64"} if last else {"kept_ptr": "*i64", "given_ptr": "*fp32"}
    rounds = {"FIRST": not last, "LAST": last}
    build(_strongest_kernel, pointers | {"rows_ptr": "*i64"}, {"TOP": 64, "KEPT": 64, "CHUNK": 2048} | rounds, warps=8)


def test_remembering_and_framing_build() -> None:
    from hmt_kernels.frame_triton import _frame_kernel
    from hmt_kernels.remember_triton import _remember_kernel

    sizes = {"MEMORIES": 4, "HIDDEN": 512, "WIDTH": 512}
    rows = dict.fromkeys(("ring_ptr", "memory_ptr", "table_ptr", "prompt_ptr", "frame_ptr"), "*bf16")
    whole = dict.fromkeys(("sensory_ptr", "sensory_lengths_ptr", "ids_ptr", "lengths_ptr"), "*i64")
    build(_remember_kernel, rows | {"active_ptr": "*u8"}, sizes | {"PLACES": 4})
    build(_frame_kernel, rows | whole, sizes | {"SENSORY": 32, "LENGTH": 256, "PLACES": 8})


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_the_gradient_builds(dtype: str) -> None:
    from hmt_kernels.recall_gradient_triton import _gradient_kernel

    pointers = {"memories_ptr": f"*{dtype}", "memories_gradient_ptr": f"*{dtype}"}
    build(_gradient_kernel, pointers, TILE | {"SCALED": False, "OF_WEIGHTS": True, "TO_MEMORIES": True})


def build(kernel: Any, types: dict[str, str], constants: dict[str, object], *, warps: int = 4) -> Any:
    """Compile ahead of time; pointers are to fp32 where nothing else is said, and all addresses are multiples of 16."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    signature, aligned = {}, {}
    for place, name in enumerate(kernel.arg_names):
        default = "*fp32" if name.endswith("_ptr") else "i32"
        signature[name] = "constexpr" if name in constants else (NUMBERS | types).get(name, default)
        if name.endswith(("_ptr", "_stride")):
            aligned[place,] = [["tt.divisibility", 16]]
    values = {(kernel.arg_names.index(name),): value for name, value in constants.items()}
    source = ASTSource(kernel, signature, values, aligned)
    return triton.compile(source, target=GPUTarget(*H100), options={"num_warps": warps, "enable_fp_fusion": True})
