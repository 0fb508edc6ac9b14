"""build() makes the object that a config names, and refuses names that nobody trusted.

The one place where a `_target_` becomes an object. It reads Hydra's convention (_target_, _args_,
_partial_, _recursive_) without Hydra's instantiate, which looks every name up a second time and
resolves ${...} once more after the check. A config may come from a stranger's run folder, so what
it may name is a list of sub-packages, tested on the name before anything is imported and again on
the object that the name leads to; and it must be a class (a function such as torch.load never is).
More packages are trusted by the person at the keyboard alone: KDISTILL_TRUST=mynet,mylosses.
"""

import functools
import importlib
import inspect
import os
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from kdistill.config.roles import check_role
from kdistill.errors import UserError, did_you_mean
from kdistill.paths import given

ALLOWED = (
    "kdistill.data.",
    "kdistill.models.",
    "kdistill.losses.",
    "kdistill.tasks.",
    "kdistill.engine.",
    "kdistill.teachers.",
    "torch.nn.",
    "torch.optim.",
    "torchvision.models.",
)
# what the pipeline offers to a constructor that has a parameter of that name and no value for it
OFFERED = ("input_shape", "classes", "total_steps", "T_max", "total_iters")
# what Hydra gives a meaning; lists and dicts always arrive as such (its _convert_: all)
SPECIAL = ("_target_", "_args_", "_partial_", "_recursive_")


def build(
    config: Any,
    *args: Any,
    roles: tuple[Any, ...] = (object,),
    offered: Mapping[str, Any] | None = None,
    key: str = "",
) -> Any:
    """Make the object of `config["_target_"]` from its other keys, and those nested in it.

    roles: the classes or protocols of which it must be one. `offered` values (input_shape, classes
    ...) go to parameters of that name that the config leaves out or null. Raises UserError for an
    untrusted or unknown target, one of another role, and for values it refuses; `key` is where the
    config stands in the whole, for its message.
    """
    plain = to_plain(config)
    if not isinstance(plain, dict) or "_target_" not in plain:
        held = ", ".join(map(str, plain)) if isinstance(plain, dict) else ""
        hint = f" ({held}: set by an experiment for another {key}?)" if held else ""
        raise UserError(f"{dotted(key, '_target_')}: missing; it names the class to make{hint}")
    for place, node in targets(plain, key):
        resolve(node["_target_"], dotted(place, "_target_"))
    target = resolve(plain["_target_"])
    if inspect.isclass(target) and not plain.get("_partial_"):
        check_role(target, roles, plain["_target_"], key)
    accepted = parameters_of(target)
    for name, value in (offered or {}).items():
        if name in accepted and plain.get(name) is None:
            plain = {**plain, name: value}
    made = _make(plain, key, args)
    check_role(type(made), roles, plain["_target_"], key)
    return made


def to_plain(config: Any) -> Any:
    """The config as dicts and lists, with every ${...} resolved; UserError for a missing value."""
    if not OmegaConf.is_config(config):
        return config
    try:
        return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        missing = isinstance(error, MissingMandatoryValue)
        key = error.full_key or "config"
        said = f"it needs a value; give it as {key}=VALUE" if missing else _first_line(error)
        if "is not a container" in said:
            said = f"{said.split(': ')[-1]}; an option is chosen by its group, as in fit=sgd"
        raise UserError(f"{key}: {said}") from error


def targets(config: Any, key: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every (dotted key, node) of a plain config whose node has a `_target_`, outermost first."""
    if isinstance(config, dict):
        if "_target_" in config:
            yield key, config
        for name, value in config.items():
            yield from targets(value, dotted(key, name))
    elif isinstance(config, (list, tuple)):
        for position, value in enumerate(config):
            yield from targets(value, f"{key}[{position}]")


def trusted() -> tuple[str, ...]:
    """Packages that the person at the keyboard vouches for, from KDISTILL_TRUST."""
    named = given("KDISTILL_TRUST").replace(":", ",").split(",")
    return tuple(f"{name.strip().rstrip('.')}." for name in named if name.strip())


def trusts(package: str) -> bool:
    """Whether that person vouches for `package` by its name."""
    return f"{package}." in trusted()


def resolve(target: Any, key: str = "_target_") -> Any:
    """The class that `target` names; UserError naming `key` when it is not allowed or not there.

    A module that KDISTILL_TRUST names may lie in the current folder, and may offer functions too.
    """
    own = trusted()
    if not isinstance(target, str) or not target.startswith(ALLOWED + own):
        raise UserError(f"{key}: {target} is not in a trusted package; {_instead(target)}")
    is_own = target.startswith(own) if own else False
    if is_own and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    thing = _find(target, key, is_own)
    home = f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', '')}"
    if not home.startswith(ALLOWED + own):
        raise UserError(f"{key}: {target} is {home}, which is not in a trusted package")
    if not (inspect.isclass(thing) or (is_own and callable(thing))):
        raise UserError(f"{key}: {target} is not a class")
    return thing


def _instead(target: Any) -> str:
    """What to do; nobody is told to trust Python's own modules, or all of torch."""
    package = str(target).split(".")[0]
    if package in sys.stdlib_module_names or package in {name.split(".")[0] for name in ALLOWED}:
        return "a config may name classes of torch.nn, torch.optim, torchvision.models and kdistill"
    return f"if you trust it: KDISTILL_TRUST={package}"


def parameters_of(target: Any) -> Mapping[str, inspect.Parameter]:
    """The parameters of a class; none where it does not tell, as some written in C."""
    try:
        return inspect.signature(target).parameters
    except (TypeError, ValueError):
        return {}


def dotted(key: str, name: str) -> str:
    """The key of `name` inside `key`, which is '' at the top."""
    return f"{key}.{name}" if key else str(name)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _make(node: Any, key: str, args: tuple[Any, ...] = ()) -> Any:
    if isinstance(node, (list, tuple)):
        made = [_make(value, f"{key}[{place}]") for place, value in enumerate(node)]
        return tuple(made) if isinstance(node, tuple) else made
    if not isinstance(node, dict):
        return node
    if "_target_" not in node:
        return {name: _make(value, dotted(key, name)) for name, value in node.items()}
    unknown = [name for name in node if str(name)[:1] == "_" and name not in SPECIAL]
    if unknown:
        raise UserError(f"{dotted(key, unknown[0])}: not known; known are {', '.join(SPECIAL)}")
    inner = _make if node.get("_recursive_", True) else lambda value, _: value
    values = {
        name: inner(value, dotted(key, name)) for name, value in node.items() if name not in SPECIAL
    }
    args = args or tuple(inner(node.get("_args_", []), dotted(key, "_args_")))
    return _call(node, key, args, values)


def _call(node: dict[str, Any], key: str, args: tuple[Any, ...], values: dict[str, Any]) -> Any:
    """Call a target. What it refuses is the user's to mend, and whatever code not ours raises."""
    target = resolve(node["_target_"])
    if node.get("_partial_"):
        return functools.partial(target, *args, **values)
    try:
        return target(*args, **values)
    except UserError:
        raise
    except Exception as error:
        refused = isinstance(error, (TypeError, ValueError))
        if not refused and str(target.__module__).startswith("kdistill."):
            raise
        said = " ".join(str(error).split())
        kind = "" if refused or _of_torch(target) else f"{type(error).__name__}: "
        raise UserError(f"{key or node['_target_']}: {kind}{said}") from error


def _of_torch(target: Any) -> bool:
    return str(target.__module__).startswith(("torch.", "torchvision."))


def _find(target: str, key: str, is_own: bool) -> Any:
    module_name, _, name = target.rpartition(".")
    module = _imported(module_name, key, is_own)
    if not hasattr(module, name):
        hint = did_you_mean(name, dir(module))
        raise UserError(f"{key}: {module_name} has no {name!r}{hint}")
    return getattr(module, name)


def _imported(name: str, key: str, is_own: bool) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if f"{name}.".startswith(f"{missing}."):
            raise UserError(f"{key}: there is no module {missing!r}") from None
        if not is_own:
            raise  # ours is there, but something that it imports is not
        raise UserError(f"{key}: importing {name} failed: {error}") from error
    except Exception as error:
        if not is_own:
            raise
        said = f"{type(error).__name__}: {error}"
        raise UserError(f"{key}: importing {name} failed: {said}") from error
