"""What Hydra and OmegaConf find wrong while composing, said in one line."""

from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from kdistill.errors import did_you_mean


def in_one_line(error: BaseException) -> str:
    """The key that is wrong, what is known near it, and what to do."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _missing_option(error.missing_cfg_file, list(error.options or []), str(error))
    if isinstance(error, OverrideParseException):
        return f"{error.override}: {_first_line(str(error))}; write key=value, quoted for the shell"
    cause = error.__cause__
    if isinstance(error, ConfigCompositionException) and isinstance(cause, OmegaConfBaseException):
        error, said = cause, _first_line(str(error))
    else:
        said = ""
    if isinstance(error, (ConfigAttributeError, ConfigKeyError)):
        return _unknown_key(error)
    if isinstance(error, OmegaConfBaseException):
        key = f"{error.full_key}: " if error.full_key else ""
        return key + "; ".join(part for part in (_first_line(str(error)), said) if part)
    return _squeezed(str(error)) or type(error).__name__


def _missing_option(path: str, options: list[str], message: str) -> str:
    group, _, name = path.removesuffix(".yaml").rpartition("/")
    options = [name for name in options if not name.startswith("_")]
    if options:
        near = did_you_mean(name, options)
        return f"{group}={name}: no such option{near}; available: {', '.join(options)}"
    if group:
        return f"{group}={name}: there is no config group {group!r}; see kdistill list"
    return _squeezed(message)


def _unknown_key(error: ConfigAttributeError | ConfigKeyError) -> str:
    parent = error.parent_node
    known = [str(key) for key in parent] if isinstance(parent, DictConfig) else []
    near = did_you_mean(str(error.key), known) or f"; keys there: {', '.join(known)}"
    return f"{error.full_key}: no such key in the config{near} (to add a key: +key=value)"


def _first_line(message: str) -> str:
    return next((line.strip() for line in message.splitlines() if line.strip()), "")


def _squeezed(message: str) -> str:
    """The lines of a message as one, without Hydra's listing of its search path."""
    for heading in ("Config search path:", "Search path:"):
        message = message.split(heading)[0]
    return "; ".join(" ".join(line.split()) for line in message.splitlines() if line.strip())
