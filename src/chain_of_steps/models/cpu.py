"""The processor: what it can do, and which of its kernels and number formats torch is to use."""

import os
import platform
import tempfile

import torch


def abilities() -> dict:
    """What torch knows of the processor, by name; empty in versions that do not tell."""
    return getattr(torch.cpu, "get_capabilities", dict)()


def name() -> str:
    """Which processor it is."""
    return abilities().get("cpu_name", platform.processor())


def use_common_kernels() -> None:
    """Lets machines with and without AVX-512 give the same rows: torch's kernels for it round unlike those for AVX2.

    Works before torch's first computation only. A setting of the user's wins.
    """
    if abilities().get("avx512_f"):
        os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx2")
        # Kernels that torch.compile kept from a time without this setting are of the other width and corrupt memory.
        os.environ.setdefault(
            "TORCHINDUCTOR_CACHE_DIR", f"{tempfile.gettempdir()}/torchinductor_avx2_{os.getuid()}"
        )


def mixed_precision() -> torch.autocast:
    """bfloat16 where the processor multiplies it; others emulate it, ten times slower than float32."""
    native = any(abilities().get(kind, False) for kind in ("avx512_bf16", "amx_bf16", "bf16"))
    return torch.autocast("cpu", torch.bfloat16, enabled=native)
