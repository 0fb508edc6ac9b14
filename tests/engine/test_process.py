"""The device and precision that a run gets."""

import pytest
import torch

from kdistill.engine import process
from kdistill.engine.process import Process
from kdistill.errors import UserError


def test_auto_precision_is_bf16_only_where_it_is_native(monkeypatch: pytest.MonkeyPatch) -> None:
    for native, expected in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(process, "_native_bf16", lambda _, native=native: native)
        assert Process("cpu").start().precision == expected


def test_autocast_runs_products_in_the_precision_asked_for() -> None:
    product = torch.nn.Linear(4, 4)
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with Process("cpu", precision).start().autocast():
            assert product(torch.zeros(2, 4)).dtype == dtype


def test_threads_are_set() -> None:
    before = torch.get_num_threads()
    try:
        assert "3 threads" in Process("cpu", "fp32", threads=3).start().name
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match="device.kind=cuda.*use device.kind=cpu"):
        Process("cuda").start()


def test_fp16_on_a_cpu_is_refused() -> None:
    with pytest.raises(UserError, match="fp16 is not for CPUs"):
        Process("cpu", "fp16").start()


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UserError, match="device.processes=3: this machine has 2 GPUs"):
        Process("cuda", processes=3).start()


@pytest.mark.parametrize("keys", [{"kind": "tpu"}, {"precision": "fp8"}, {"threads": 0}])
def test_values_out_of_range_are_refused(keys: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(keys))} must be"):
        Process(**keys)  # type: ignore[arg-type]
