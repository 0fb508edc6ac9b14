"""Process: which device, precision and threads a run uses; the only file that says cuda or bf16."""

import os
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from kdistill.errors import UserError

THREADS = torch.get_num_threads()  # torch's own choice, before any run set another
KINDS = ("auto", "cpu", "cuda", "mps")
PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class Process:
    """One process of a run.

    kind: auto | cpu | cuda | mps; precision: auto | fp32 | bf16 | fp16, where auto takes bf16 only
    from hardware that has it natively; threads: None leaves torch's own choice; deterministic:
    refuse operations whose result varies from run to run; channels_last: for convolutions;
    compile: torch.compile for students and for teachers that are trained.
    """

    def __init__(
        self,
        kind: str = "auto",
        precision: str = "auto",
        threads: int | None = None,
        deterministic: bool = False,
        channels_last: bool = False,
        compile: bool = False,
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind}")
        if precision not in ("auto", *PRECISIONS):
            raise ValueError(f"precision must be auto, fp32, bf16 or fp16, got {precision}")
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be >= 1, got {threads}")
        self.kind, self.precision, self.threads = kind, precision, threads
        self.deterministic, self.channels_last, self.compile = deterministic, channels_last, compile

    def start(self) -> "Process":
        """Take the device and set threads and determinism; UserError when the device is missing."""
        if self.kind == "auto":
            found = torch.accelerator.current_accelerator(check_available=True)
            self.kind = found.type if found and found.type in KINDS else "cpu"
        available = {"cpu": True, "cuda": torch.cuda.is_available()}
        if not available.get(self.kind, self.kind == "mps" and torch.backends.mps.is_available()):
            raise UserError(f"device.kind={self.kind}: this machine has none; use device.kind=cpu")
        self.device = torch.device(self.kind)
        if self.precision == "auto":
            self.precision = "bf16" if _native_bf16(self.kind) else "fp32"
        if self.precision == "fp16" and self.kind == "cpu":
            raise UserError("device.precision=fp16 is not for CPUs; use fp32 or bf16")
        torch.set_num_threads(self.threads or THREADS)
        if self.deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # CUDA asks for it
        torch.use_deterministic_algorithms(self.deterministic)
        return self

    @property
    def name(self) -> str:
        """For reports: "cpu, 2 threads, fp32"."""
        detail = f"{torch.get_num_threads()} threads" if self.kind == "cpu" else self._model()
        return f"{self.kind}, {detail}, {self.precision}"

    def _model(self) -> str:
        return torch.cuda.get_device_name() if self.kind == "cuda" else "Apple GPU"

    def place(self, module: nn.Module) -> nn.Module:
        """Move to the device, in the memory format asked for, compiled if asked for; in place."""
        module.to(self.device)
        if self.channels_last:
            module.to(memory_format=torch.channels_last)
        if self.compile:
            module.compile()  # in place, so the names in state_dict stay as they are
        return module

    def autocast(self) -> AbstractContextManager[object]:
        """The precision of forward passes."""
        dtype = PRECISIONS[self.precision]
        return nullcontext() if dtype is None else torch.autocast(self.kind, dtype)

    def scaler(self) -> torch.amp.GradScaler:
        """Keeps fp16 gradients from underflowing; does nothing in other precisions."""
        return torch.amp.GradScaler(self.kind, enabled=self.precision == "fp16")


def _native_bf16(kind: str) -> bool:
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # older releases of torch cannot tell: fp32 is then the safe choice
    capabilities: dict[str, object] = (
        getattr(torch.cpu, "get_capabilities", dict)() if kind == "cpu" else {}
    )
    return any(bool(capabilities.get(name)) for name in ("avx512_bf16", "amx_bf16", "sve_bf16"))
