"""Process: device, precision and threads of a run; the only file that says cuda, bf16 or DDP."""

import os
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from kdistill import ranks
from kdistill.engine.objective import Objective
from kdistill.errors import UserError

THREADS = torch.get_num_threads()  # torch's own choice, before any run set another
KINDS = ("auto", "cpu", "cuda", "mps")
STRATEGIES = ("ddp", "fsdp")
MOST_PROCESSES = 16  # of a core; a config that asks for more may be a stranger's
MOST_THREADS = 1024
PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class Process:
    """One process of a run, or each of several.

    kind: auto | cpu | cuda | mps; precision: auto | fp32 | bf16 | fp16, where auto takes bf16 only
    from hardware that has it natively; threads: None leaves torch's own choice; deterministic:
    refuse operations whose result varies from run to run; channels_last: for convolutions;
    compile: torch.compile for students and for teachers that are trained; processes: how many
    train together, each on its share of every batch; strategy: ddp keeps the whole model in each,
    fsdp (PyTorch's fully_shard) a share of weights, gradients and moments.
    """

    def __init__(
        self,
        kind: str = "auto",
        precision: str = "auto",
        threads: int | None = None,
        deterministic: bool = False,
        channels_last: bool = False,
        compile: bool = False,
        processes: int = 1,
        strategy: str = "ddp",
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind}")
        if precision not in ("auto", *PRECISIONS):
            raise ValueError(f"precision must be auto, fp32, bf16 or fp16, got {precision}")
        if threads is not None and not 1 <= threads <= MOST_THREADS:
            raise ValueError(f"threads must be from 1 to {MOST_THREADS}, got {threads}")
        if processes < 1:
            raise ValueError(f"processes must be >= 1, got {processes}")
        if strategy not in STRATEGIES:
            raise ValueError(f"strategy must be ddp or fsdp, got {strategy}")
        self.kind, self.precision, self.threads = kind, precision, threads
        self.deterministic, self.channels_last, self.compile = deterministic, channels_last, compile
        self.processes, self.strategy = processes, strategy

    def start(self) -> "Process":
        """Take the device, set threads and determinism, and meet the run's other processes.

        UserError when the device is missing.
        """
        if self.kind == "auto":
            found = torch.accelerator.current_accelerator(check_available=True)
            self.kind = found.type if found and found.type in KINDS else "cpu"
        available = {"cpu": True, "cuda": torch.cuda.is_available()}
        if not available.get(self.kind, self.kind == "mps" and torch.backends.mps.is_available()):
            raise UserError(f"device.kind={self.kind}: this machine has none; use device.kind=cpu")
        if self.kind == "cuda" and self.processes > torch.cuda.device_count():
            raise UserError(
                f"device.processes={self.processes}: this machine has {torch.cuda.device_count()} "
                "GPUs, one for each process; lower it"
            )
        if self.processes > MOST_PROCESSES * (os.cpu_count() or 1):
            raise UserError(
                f"device.processes={self.processes}: this machine has {os.cpu_count()} cores, "
                f"{MOST_PROCESSES} processes for each are the most; lower it"
            )
        self.device = torch.device(self.kind)
        if self.kind == "cuda" and ranks.launched():
            self.device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            torch.cuda.set_device(self.device)
        if self.precision == "auto":
            self.precision = "bf16" if _native_bf16(self.kind) else "fp32"
        if self.precision == "fp16" and self.kind == "cpu":
            raise UserError("device.precision=fp16 is not for CPUs; use fp32 or bf16")
        beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if ranks.launched() else 1
        torch.set_num_threads(self.threads or max(THREADS // beside, 1))
        if self.deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # CUDA asks for it
        if self.deterministic != torch.are_deterministic_algorithms_enabled():
            torch.use_deterministic_algorithms(self.deterministic)  # imports for seconds
        ranks.join()
        return self

    @property
    def name(self) -> str:
        """For reports: "cpu, 2 threads, fp32"."""
        detail = f"{torch.get_num_threads()} threads" if self.kind == "cpu" else self._model()
        several = f", {ranks.world()} processes ({self.strategy})" if ranks.world() > 1 else ""
        return f"{self.kind}, {detail}, {self.precision}{several}"

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

    def spread(self, objective: Objective) -> tuple[Objective, nn.Module]:
        """What this process trains of `objective`, and the module to call in its place.

        ddp: `objective` itself, inside DistributedDataParallel; fsdp: a copy whose parameters are
        sharded, twice. Gradients are then means over the processes.
        """
        if ranks.world() == 1:
            return objective, objective
        if self.strategy == "fsdp":
            # seconds of imports, which other runs do without
            from torch.distributed.device_mesh import init_device_mesh
            from torch.distributed.fsdp import fully_shard

            mesh = init_device_mesh(self.kind, (ranks.world(),))
            sharded = deepcopy(objective)
            fully_shard(sharded, mesh=mesh)  # in place
            return sharded, sharded
        return objective, DistributedDataParallel(objective)

    def seed(self, seed: int) -> None:
        """Seed what modules draw (dropout), differently in each process."""
        torch.manual_seed(seed + ranks.rank())

    def random_state(self) -> dict[str, Tensor]:
        """Of the generators that modules draw from: the CPU's, and the device's own."""
        device = {} if self.kind == "cpu" else {self.kind: self._generators().get_rng_state()}
        return {"cpu": torch.get_rng_state(), **device}

    def set_random_state(self, state: dict[str, Tensor]) -> None:
        """Let the generators go on from `random_state`, as far as it was of the same device."""
        torch.set_rng_state(state["cpu"])
        if self.kind != "cpu" and self.kind in state:
            self._generators().set_rng_state(state[self.kind])

    def _generators(self) -> Any:
        return torch.get_device_module(self.device)

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
