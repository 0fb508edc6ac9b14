"""The machine, in words and figures: what it is, and how fast it multiplies matrices."""

import json
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

PACKAGES = ("torch", "torchvision", "torchdistill", "timm", "textbrewer")
SIDE = 1024
SECONDS = 1.0


def describe() -> dict[str, object]:
    """Processor, cores, memory, versions, and measured matrix products in GFLOP/s."""
    return {
        "processor": _processor(),
        "cores": torch.multiprocessing.cpu_count(),
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "gflops": {"fp32": matmul_rate(torch.float32), "bf16": matmul_rate(torch.bfloat16)},
    }


def matmul_rate(dtype: torch.dtype) -> float:
    """GFLOP/s of 1024 x 1024 products, best of what fits into a second."""
    a, b = torch.randn(SIDE, SIDE).to(dtype), torch.randn(SIDE, SIDE).to(dtype)
    torch.mm(a, b)
    fastest, started = float("inf"), time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        before = time.perf_counter()
        torch.mm(a, b)
        fastest = min(fastest, time.perf_counter() - before)
    return 2 * SIDE**3 / fastest / 1e9


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    torch.set_num_threads(json.loads(sys.argv[1])["threads"])
    print(json.dumps(describe()))
