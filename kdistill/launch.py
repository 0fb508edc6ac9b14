"""The same run in several processes: each reads the config that the run folder keeps."""

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import yaml

from kdistill import ranks
from kdistill.artifacts.configs import resume_command, weights_outside
from kdistill.artifacts.files import write_text
from kdistill.artifacts.result import Result
from kdistill.artifacts.run_folder import RunFolder
from kdistill.compose import recipe, run_config
from kdistill.config.build import to_plain
from kdistill.errors import ProcessesFailed, Stopped, UserError
from kdistill.events import Listener


def run_in_processes(config: Any, folder: Path, listener: Listener) -> Result:
    """Execute a composed config in as many processes of this machine as device.processes says.

    Inside a process that torchrun (or this function) started, takes part in the run. Raises
    ProcessesFailed when one of several fails, Stopped when a signal ends them.
    """
    plain, kept = to_plain(config), RunFolder(folder)
    if ranks.launched():
        threading.Thread(target=_end_with, args=[os.getppid()], daemon=True).start()
        ranks.join()
        return run_config(plain, ranks.agree(folder), listener)
    device = plain.get("device")
    processes = device.get("processes", 1) if isinstance(device, dict) else 1  # else it is refused
    if processes == 1 or (kept.holds(plain) and kept.result.is_file()):
        return run_config(plain, folder, listener)
    recipe(plain)  # a mistake is told once, here
    with kept.locked():
        kept.begin(plain)
        write_text(kept.config, yaml.safe_dump(plain, sort_keys=False))
    _launch(processes, folder, plain)
    return Result.read(kept.finished().result)


def _end_with(parent: int) -> None:
    """Stop this process, which would hold the folder, when the one that started it is gone."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _launch(processes: int, folder: Path, plain: dict[str, Any]) -> None:
    """Do as `torchrun --standalone --nproc-per-node N -m kdistill resume --no-report FOLDER`."""
    # seconds of imports, which a run in one process does without
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    for name in logging.root.manager.loggerDict:
        if name.startswith("torch.distributed.elastic"):  # the processes tell their own
            logging.getLogger(name).setLevel(logging.CRITICAL)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=folder.name,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
    )
    try:
        elastic_launch(config, sys.executable)(
            *("-m", "kdistill", "resume", "--no-report", str(folder)),
            *weights_outside(plain, folder),
        )
    except ChildFailedError as failed:
        codes = [failure.exitcode for failure in failed.failures.values()]
        told = [code for code in codes if code in (1, 2)]
        if not told:
            raise UserError(
                f"one of {processes} processes ended early (exit code {codes[0]}; -9 often means "
                f"that memory ran out); mend that, then: {resume_command(plain, folder)}"
            ) from None
        raise ProcessesFailed(min(told)) from None
    except SignalException as signalled:
        raise Stopped(int(signalled.sigval)) from None
