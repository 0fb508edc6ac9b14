"""build() makes the object that a config names, and refuses names that nobody trusted.

The only caller of Hydra's instantiate. A config may come from a stranger's run folder, so what it
may name is a list of sub-packages, tested on the name before anything is imported and again on the
object that the name leads to; and it must be a class (a function such as torch.load never is).
More packages are trusted by the person at the keyboard alone: KDISTILL_TRUST=mynet,mylosses.
"""

import hashlib
import importlib
import inspect
import os
import sys
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from kdistill.errors import UserError

ALLOWED = (
    "kdistill.data.",
    "kdistill.models.",
    "kdistill.losses.",
    "kdistill.measures.",
    "kdistill.engine.",
    "kdistill.teachers.",
    "torch.nn.",
    "torch.optim.",
    "torchvision.models.",
)
# what the pipeline offers to a constructor that has a parameter of that name and no value for it
OFFERED = ("input_shape", "classes", "total_steps", "T_max", "total_iters")


def build(config: Any, *args: Any, offered: Mapping[str, Any] | None = None) -> Any:
    """Make the object of `config["_target_"]` from its other keys, and those nested in it.

    `offered` values (input_shape, classes ...) go to parameters of that name that the config leaves
    out or null. Raises UserError for an untrusted or unknown target and for values it refuses.
    """
    plain = to_plain(config)
    for _, node in targets(plain):
        resolve(node["_target_"])
    target = resolve(plain["_target_"])
    accepted = inspect.signature(target).parameters
    for name, value in (offered or {}).items():
        if name in accepted and plain.get(name) is None:
            plain[name] = value
    try:
        return instantiate(plain, *args, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, (TypeError, ValueError)):
            raise UserError(f"{plain['_target_']}: {cause}") from error
        raise cause or error from None


def to_plain(config: Any) -> Any:
    """The config as dicts and lists, with every ${...} resolved."""
    return OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config


def targets(config: Any, key: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every (dotted key, node) of a plain config whose node has a `_target_`, outermost first."""
    if isinstance(config, dict):
        if "_target_" in config:
            yield key, config
        for name, value in config.items():
            yield from targets(value, f"{key}.{name}" if key else str(name))
    elif isinstance(config, list):
        for position, value in enumerate(config):
            yield from targets(value, f"{key}[{position}]")


def trusted() -> tuple[str, ...]:
    """Packages that the person at the keyboard vouches for, from KDISTILL_TRUST."""
    named = os.environ.get("KDISTILL_TRUST", "").replace(":", ",").split(",")
    return tuple(f"{name.strip().rstrip('.')}." for name in named if name.strip())


def resolve(target: str) -> Any:
    """The class that `target` names; UserError when it is not allowed or not there."""
    own = trusted()
    if not isinstance(target, str) or not target.startswith(ALLOWED + own):
        raise UserError(
            f"_target_: {target} is not in a trusted package; if you trust it: "
            f"KDISTILL_TRUST={str(target).split('.')[0]}"
        )
    if target.startswith(own) and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # a trusted module may lie in the current folder
    thing = _find(target)
    if target.startswith(own):
        if not callable(thing):
            raise UserError(f"_target_: {target} cannot be called")
        return thing
    home = f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', '')}"
    if not inspect.isclass(thing) or not home.startswith(ALLOWED):
        raise UserError(f"_target_: {target} is not a class of a trusted package")
    return thing


def sources(config: Any) -> dict[str, str]:
    """Hash of the source file behind each `_target_`: what a trained model was made from."""
    found = {}
    for _, node in targets(to_plain(config)):
        file = inspect.getsourcefile(resolve(node["_target_"]))
        if file is not None:
            found[node["_target_"]] = hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16]
    return found


def _find(target: str) -> Any:
    module_name, _, name = target.rpartition(".")
    try:
        module: ModuleType = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if not f"{module_name}.".startswith(f"{missing}."):
            raise  # the module is there, but something that it imports is not
        raise UserError(f"_target_: {target}: there is no module {missing!r}") from None
    if not hasattr(module, name):
        near = get_close_matches(name, dir(module), n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise UserError(f"_target_: {module_name} has no {name!r}{hint}")
    return getattr(module, name)
