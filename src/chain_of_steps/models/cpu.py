"""The processor: its instruction sets, and which kernels and number formats torch should use."""

import os
import platform
import shutil
import tempfile

import torch


def abilities() -> dict:
    """What torch reports about the processor, by name; empty in versions without such a report."""
    return getattr(torch.cpu, "get_capabilities", dict)()


def name() -> str:
    """The model name of the processor."""
    return abilities().get("cpu_name", platform.processor())


def use_common_kernels() -> None:
    """Makes torch use its AVX2 kernels: the same rows with and without AVX-512.

    The kernels for AVX-512 round differently. Call it before torch's first computation. A setting
    of the user takes precedence.
    """
    if abilities().get("avx512_f"):
        os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx2")
        # Kernels that torch.compile cached without this setting have the other vector width and
        # would corrupt memory.
        os.environ.setdefault(
            "TORCHINDUCTOR_CACHE_DIR", f"{tempfile.gettempdir()}/torchinductor_avx2_{os.getuid()}"
        )


def use_free_cores() -> None:
    """Leaves torch as many threads as there are free cores, by the load of the last minute.

    Threads of one operation wait for each other: beside a busy process, one thread is faster than
    two (benchmarks/neighbour.json).
    The variable OMP_NUM_THREADS takes precedence; the number of threads never rises.
    """
    if "OMP_NUM_THREADS" not in os.environ and hasattr(os, "getloadavg"):
        free = max(1, (os.cpu_count() or 1) - round(os.getloadavg()[0]))
        torch.set_num_threads(min(free, torch.get_num_threads()))


def can_compile() -> bool:
    """Whether torch.compile finds a compiler, and PyTorch lies in a folder without spaces in its
    name, which it forgets to quote."""
    return bool(shutil.which("g++") or shutil.which("clang++")) and " " not in torch.__file__


def mixed_precision() -> torch.autocast:
    """bfloat16 if the processor has native support; emulated, it is ten times slower than
    float32."""
    native = any(abilities().get(kind, False) for kind in ("avx512_bf16", "amx_bf16", "bf16"))
    return torch.autocast("cpu", torch.bfloat16, enabled=native)
