"""What a config file may say below `hydra.`: Hydra acts on those keys before a run begins.

Hydra starts programs, opens files and makes objects by them (callbacks, logging, launchers), so a
stranger's YAML could run code before anything of kdistill looks at it. Every file that is not
shipped is therefore held to a list while Hydra composes. On the command line all of it stays
allowed; KDISTILL_TRUST=hydra allows it in files, too. (Written for Hydra 1.3.)
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from math import prod
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, RangeSweep
from hydra.errors import HydraException
from omegaconf import OmegaConf

from kdistill.artifacts.text import parse_yaml, read_text
from kdistill.errors import UserError
from kdistill.paths import CONFIG_DIR

MOST_JOBS = 10_000  # of a sweep that a file asks for
LONGEST = 10_000  # characters of the values of one key in it
TRUST = "or trust what all config files say to Hydra: KDISTILL_TRUST=hydra"
JOBLIB = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"
SUBMITIT = "hydra_plugins.hydra_submitit_launcher.submitit_launcher."
KNOWN = {
    "launcher": (
        "hydra._internal.core_plugins.basic_launcher.BasicLauncher",
        *(JOBLIB, f"{SUBMITIT}LocalLauncher", f"{SUBMITIT}SlurmLauncher"),
    ),
    "sweeper": ("hydra._internal.core_plugins.basic_sweeper.BasicSweeper",),
}
# one line without quotes: submitit writes it into a shell script
WORD = re.compile(r"[\w.,:=@%+/ \[\]-]{0,200}")
# a part of a folder below that of a sweep: a job's number or words are all that it may be made of
PART = re.compile(
    r"(?:[\w.,=+-]|\$\{hydra\.job\.(?:num|id)\}|\$\{kd\.slug:\$\{hydra\.job\.override_dirname\}\})+"
)
NAME = re.compile(r"[+~]*[A-Za-z][\w./@\[\]-]{0,200}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_subfolder(value: Any) -> bool:
    parts = value.split("/") if isinstance(value, str) else [""]
    return all(PART.fullmatch(part) and part[0] != "." for part in parts)


def _is_word(value: Any) -> bool:
    return value is None or (isinstance(value, str) and WORD.fullmatch(value) is not None)


def _is_number(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value is None or (number and abs(value) <= 1e6)


def _is_dispatch(value: Any) -> bool:
    """How many jobs joblib hands out beforehand; it evaluates other texts."""
    return value in ("all", "auto", "n_jobs", "2*n_jobs") or _is_number(value)


def _is_known(part: str) -> Callable[[Any], bool]:
    return lambda value: value in KNOWN[part]


# what a file may say: the key below `hydra.`, and which values; and what our train.yaml says
ALLOWED: dict[str, Callable[[Any], bool]] = {
    "mode": lambda value: value in ("RUN", "MULTIRUN", None),
    "run.dir": _is_text,
    "sweep.dir": _is_text,
    "sweep.subdir": _is_subfolder,
    "sweeper._target_": _is_known("sweeper"),
    "sweeper.params": lambda value: value is None,
    "sweeper.max_batch_size": _is_number,
    "launcher._target_": _is_known("launcher"),
    **{f"launcher.{key}": _is_dispatch for key in ("batch_size", "pre_dispatch")},
    "launcher.stderr_to_stdout": lambda value: isinstance(value, bool),
    **{
        f"launcher.{key}": _is_number
        for key in (
            *("n_jobs", "verbose", "timeout", "timeout_min", "cpus_per_task", "gpus_per_node"),
            *("tasks_per_node", "mem_gb", "nodes", "cpus_per_gpu", "gpus_per_task"),
            *("signal_delay_s", "max_num_timeout", "array_parallelism"),
        )
    },
    **{
        f"launcher.{key}": _is_word
        for key in (
            *("partition", "qos", "comment", "constraint", "exclude", "gres", "account"),
            *("mem_per_gpu", "mem_per_cpu", "name"),
        )
    },
}


def refuse_nodes(config: Any, file: str) -> None:
    """UserError naming `file` and the first key below hydra that a file must not set."""
    plain = OmegaConf.to_container(config, resolve=False)
    if not isinstance(plain, dict) or "hydra" not in plain:
        return
    for key, value in _leaves(plain["hydra"]):
        if key.startswith("sweeper.params.") or shipped().get(key, ...) == value:
            continue
        if key not in ALLOWED or not ALLOWED[key](value):
            dotted = f"hydra.{key}".rstrip(".")
            raise UserError(
                f"{file}: {dotted}: a config file may not set this to such a value; say it on the "
                f"command line ({dotted}=...), {TRUST}"
            )
    sweeper = plain["hydra"].get("sweeper")
    if isinstance(sweeper, dict) and sweeper.get("params"):
        _refuse_sweep(sweeper["params"], file)


def _leaves(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """(key below hydra, value) of everything that holds no further keys; lists are values."""
    if isinstance(node, dict) and node:
        for name, value in node.items():
            yield from _leaves(value, f"{key}.{name}" if key else str(name))
    else:
        yield key, node


def _refuse_sweep(params: Mapping[Any, Any], file: str) -> None:
    """A sweep that a file asks for: words as on the command line, but none of them Hydra's own."""
    counts = []
    for name, value in params.items():
        key = f"{file}: hydra.sweeper.params.{name}"
        if not NAME.fullmatch(str(name)) or "hydra" in re.split(r"\W", str(name)):
            raise UserError(f"{key}: a config file may not sweep this key; {TRUST}")
        if not isinstance(value, (str, int, float)):  # Hydra would make objects of what is nested
            raise UserError(f"{key}: must be values as on the command line: 1,2,3; {TRUST}")
        if len(str(value)) > LONGEST or "${" in str(value):
            raise UserError(f"{key}: has a reference, or over {LONGEST} characters; {TRUST}")
        try:
            (word,) = OverridesParser.create().parse_overrides([f"{name}={value}"])
        except RecursionError:
            raise UserError(f"{key}: nested too deeply") from None
        except HydraException:
            raise UserError(f"{key}: {name}={value} is no word of a command line") from None
        counts.append(_jobs(word))
    if prod(counts) > MOST_JOBS:
        raise UserError(
            f"{file}: hydra.sweeper.params: asks for {prod(counts):.0f} jobs, a config file may "
            f"ask for {MOST_JOBS}; sweep on the command line, {TRUST}"
        )


def _jobs(word: Override) -> float:
    """How many values `word` goes through."""
    if not word.is_discrete_sweep():
        return 1
    sweep = word.value()
    if isinstance(sweep, RangeSweep):
        start, stop, step = sweep.start or 0, sweep.stop or 0, sweep.step or 1
        steps = (float(stop) - float(start)) / float(step)
        return steps + 1 if steps > 0 else 1
    return len(getattr(sweep, "list", [None]))


@cache
def shipped() -> dict[str, Any]:
    """What our own primary config says below `hydra.`, for one that began as a copy of it."""
    return dict(_leaves(parse_yaml(read_text(CONFIG_DIR / "train.yaml"))["hydra"]))
