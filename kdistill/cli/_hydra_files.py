"""Hydra reads and composes config files; here it holds those that are not shipped to a list."""

import itertools
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, ConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigResult, ConfigSource
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from kdistill.artifacts.text import parse_yaml, read_text
from kdistill.cli._hydra_nodes import KNOWN, TRUST, refuse_nodes, shipped
from kdistill.cli._references import refuse_growth, refuse_nesting
from kdistill.config.build import trusts
from kdistill.errors import UserError
from kdistill.paths import CONFIG_DIR

MOST_FILES = 1_000  # that defaults lists may name, each as often as it is named
Load = Callable[[str], ConfigResult | None]


class HeldFiles(ConfigRepository):  # type: ignore[misc,unused-ignore]
    """Hydra's reader of config files; a file must be sound YAML of a sane size."""

    def load_config(self, config_path: str) -> ConfigResult | None:
        """What Hydra reads from the first folder that has the file; UserError where it is not."""
        if config_path.startswith("/") or ".." in config_path.split("/"):
            raise UserError(f"{config_path}: a config lies below a folder of configs, without ..")
        source = self._find_object_source(config_path, ObjectType.CONFIG)
        if source is not None and source.scheme() == "file" and not _is_shipped(source.path):
            name = ConfigSource._normalize_file_name(config_path)
            _refuse_unsound(Path(source.path, name))
        return super().load_config(config_path)


class HeldConfigs(ConfigLoaderImpl):  # type: ignore[misc,unused-ignore]
    """Hydra's composer, which holds every file that is not shipped to the list above."""

    def __init__(self, config_search_path: ConfigSearchPath) -> None:
        super().__init__(config_search_path)
        self.repository = HeldFiles(config_search_path)

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """The composed config; UserError where files name a launcher or a folder of their own."""
        try:
            cfg = super().load_configuration(
                config_name, overrides, run_mode, from_shell, validate_sweep_overrides
            )
        except RecursionError:  # nothing of ours runs in there
            raise UserError(
                "the config files name each other in defaults lists without end, or too deeply"
            ) from None
        refuse_growth(OmegaConf.to_container(cfg, resolve=False))
        if not trusts("hydra"):
            _refuse_strangers(cfg, overrides)
            used, other = ("sweep", "run") if run_mode == RunMode.MULTIRUN else ("run", "sweep")
            _refuse_folder(cfg, used, overrides)
            with suppress(OmegaConfBaseException):  # what cannot be resolved is no folder
                _refuse_folder(cfg, other, overrides)  # Hydra takes a refused sweep for no sweep
            _keep_shipped(cfg, overrides)
        return cfg

    def _parse_overrides_and_create_caching_repo(
        self, config_name: str | None, overrides: list[str]
    ) -> tuple[list[Override], CachingConfigRepository]:
        parsed, repo = super()._parse_overrides_and_create_caching_repo(config_name, overrides)
        repo.load_config = _at_most(MOST_FILES, repo.load_config)  # type: ignore[assignment,method-assign]
        return parsed, repo

    def _process_config_searchpath(
        self, config_name: str | None, parsed_overrides: list[Override], repo: Any
    ) -> None:
        """Folders and packages to search: Hydra would import the packages."""
        primary = repo.load_config(config_path=config_name) if config_name else None
        if primary is not None and not _is_shipped(primary.path) and not trusts("hydra"):
            refuse_nodes(primary.config, _file(primary, str(config_name)))
        super()._process_config_searchpath(config_name, parsed_overrides, repo)

    def _load_single_config(self, default: Any, repo: Any) -> ConfigResult:
        result = super()._load_single_config(default, repo)
        if not trusts("hydra") and not _at_home(default, result):
            refuse_nodes(result.config, _file(result, default.config_path))
        return result


def _at_most(count: int, load: Load) -> Load:
    """`load`, which raises UserError when it is called more often than `count` times."""
    calls = itertools.count(1)

    def counting(config_path: str) -> ConfigResult | None:
        if next(calls) > count:
            raise UserError(f"the defaults lists of the config files name more than {count} files")
        return load(config_path)

    return counting


def _refuse_unsound(file: Path) -> None:
    """UserError for a file that is no YAML, too much of it, or has too many references."""
    text = read_text(file)
    try:
        plain = parse_yaml(text)
    except ValueError as error:
        raise UserError(f"{file}: not readable as YAML ({error})") from None
    refuse_nesting(plain, str(file))


def _is_shipped(path: str) -> bool:
    return path.removeprefix("file://") == str(CONFIG_DIR)


def _at_home(default: Any, result: ConfigResult) -> bool:
    """Whether it is Hydra's or a plugin's own config, or our primary one, at the usual place."""
    if _is_shipped(result.path):
        return bool(default.primary)
    if result.path.startswith("file://"):
        return False
    group = default.config_path.rpartition("/")[0].replace("/", ".")
    return default.package in (None, "", "hydra", group)


def _file(result: ConfigResult, name: str) -> str:
    folder = result.path.removeprefix("file://")
    return str(Path(folder, ConfigSource._normalize_file_name(name)))


def _refuse_strangers(cfg: DictConfig, overrides: Sequence[str]) -> None:
    """A launcher or sweeper that kdistill does not know, unless the command line names it."""
    for part, known in KNOWN.items():
        node = OmegaConf.to_container(cfg.hydra, resolve=False).get(part)  # type: ignore[union-attr]
        target = node.get("_target_") if isinstance(node, dict) else node
        if target not in known and not _typed(f"hydra/{part}", overrides):
            raise UserError(
                f"hydra/{part}: {target} is not one that a config file may choose; name it on "
                f"the command line (hydra/{part}=...), {TRUST}"
            )


def _keep_shipped(cfg: DictConfig, overrides: Sequence[str]) -> None:
    """Another primary config may leave these keys out: then Hydra would write through links."""
    own = OmegaConf.create(parse_yaml(read_text(CONFIG_DIR / "train.yaml")))
    with open_dict(cfg.hydra):
        for part in ("output_subdir", "callbacks", "job_logging"):
            names = [word.lstrip("+~").replace("/", ".") for word in overrides]
            if not any(name.startswith(f"hydra.{part}") for name in names):
                cfg.hydra[part] = (
                    OmegaConf.merge(cfg.hydra[part] or {}, own.hydra[part])
                    if OmegaConf.is_config(own.hydra[part])
                    else own.hydra[part]
                )


def _refuse_folder(cfg: DictConfig, group: str, overrides: Sequence[str]) -> None:
    """The folder of runs, or of sweeps, unless the command line names it."""
    key = f"{group}.dir"
    if not _typed(f"hydra.{key}", overrides):
        text: Any = OmegaConf.to_container(cfg.hydra[group], resolve=False)
        usual = text["dir"] == shipped()[key]
        _refuse_outside(f"hydra.{key}", str(cfg.hydra[group].dir), usual)


def _refuse_outside(key: str, folder: str, usual: bool) -> None:
    """A folder that a file names lies below the one that kdistill works in; through no link, unless
    it is the usual one, and without what would be resolved once more."""
    outside = os.path.isabs(folder) or os.path.normpath(folder).split(os.sep)[0] == os.pardir
    linked = not Path(folder).resolve().is_relative_to(Path.cwd().resolve())
    if outside or (not usual and (linked or "\\" in folder)) or "${" in folder:
        raise UserError(
            f"{key}: {folder} leaves the current folder, which a config file may not ask for; "
            f"name it on the command line ({key}=FOLDER), {TRUST}"
        )


def _typed(key: str, overrides: Sequence[str]) -> bool:
    """Whether the command line names `key`, or a group that holds it."""
    names = [word.lstrip("+~").partition("=")[0].partition("@")[0] for word in overrides]
    return any(name == key or key.startswith(f"{name}.") for name in names)
