"""What this machine can run: device, number format, attention back end, free memory."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from hmt_qa.errors import ModelTooLarge

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
CGROUP = Path("/sys/fs/cgroup")
WORKING_BYTES = 200_000_000  # activations of a pass, a question's KV cache; an allowance, not a measurement
INT8_LOADING_BYTES = 5  # a parameter stored as int8 is held in that form and as float32 while it is loaded


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and how a model runs; `setting` names it in full."""

    device: torch.device
    dtype: torch.dtype
    attention: str

    @classmethod
    def choose(cls, *, device: str = "auto", dtype: str = "auto", attention: str = "auto") -> Machine:
        """Fill in each `auto`: CUDA where there is one, bfloat16 where it is native, flash-attn where importable."""
        place = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
        if dtype == "auto":
            dtype = "bfloat16" if _native_bfloat16(place) else "float32"
        if attention == "auto":
            flash = place.type == "cuda" and dtype != "float32" and importlib.util.find_spec("flash_attn") is not None
            attention = "flash_attention_2" if flash else "sdpa"
        return cls(place, DTYPES[dtype], attention)

    @property
    def dtype_name(self) -> str:
        """`float32` or `bfloat16`."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def name(self) -> str:
        """Device, number format, attention, threads and torch: whatever changes the last bits of a result."""
        device = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"
        threads = f" threads={torch.get_num_threads()}" if self.device.type == "cpu" else ""
        return f"{device} {self.dtype_name} {self.attention}{threads} torch={torch.__version__}"

    def require_room(self, parameters: int, *, int8: bool, what: str) -> None:
        """Raise `ModelTooLarge` unless loading the weights and working with them fit the free memory."""
        loading = INT8_LOADING_BYTES if int8 else 0
        needed = parameters * (self.dtype.itemsize + loading) + WORKING_BYTES
        free = free_bytes(self.device)
        if needed > free:
            raise ModelTooLarge(
                f"The model {what} needs {needed / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free.",
                subject=needed,
                remedy="Choose a smaller model, or --dtype bfloat16, or free some memory.",
            )


def free_bytes(device: torch.device) -> int:
    """Memory a new allocation may take: the device's, or the lower of the machine's and this container's."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free = int(psutil.virtual_memory().available)
    limit, used = CGROUP / "memory.max", CGROUP / "memory.current"
    if limit.exists() and (text := limit.read_text().strip()) != "max":
        free = min(free, int(text) - int(used.read_text()) + _file_cache())
    return max(free, 0)


def _file_cache() -> int:
    """Bytes this container is charged for files it has read, which the kernel gives up when asked for memory."""
    lines = (line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
    return sum(int(count) for name, count in lines if name in {"active_file", "inactive_file"})


def _native_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def cpu_name() -> str:
    """The processor's own name and the cores this process may use."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
    return f"{model}, {len(os.sched_getaffinity(0))} cores"
