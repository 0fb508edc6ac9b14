"""hydra_command(): makes a function of a config into a command that takes every Hydra flag.

Hydra tells a mistake in several lines and exits with 1. Here every exception comes out of Hydra
whole and is told at one door: what the user can mend in one line with exit code 2, the rest as a
traceback with exit code 1. In a sweep each failed job tells its own at once and the others go on.
"""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import hydra._internal.hydra
import yaml
from hydra import version
from hydra._internal.utils import _run_hydra, get_args_parser
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    InterpolationResolutionError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from kdistill.cli._hydra_files import HeldConfigs
from kdistill.cli._log import print_traceback, printable_output
from kdistill.cli._mistakes import in_one_line
from kdistill.cli._sweep import summed_up
from kdistill.errors import ProcessesFailed, UserError, long_names
from kdistill.paths import CONFIG_DIR, environment_of, given_environment, user_configs
from kdistill.printable import printable

COMPOSING = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError)
Run = Callable[[DictConfig], float | None]
log = logging.getLogger(__name__)


class JobFailed(Exception):
    """A job has failed and has told why; the argument is its exit code.

    `codes` has those of all that failed: where jobs run in processes of their own, their failures
    arrive as copies, and Hydra raises the first alone.
    """

    codes: ClassVar[list[int]] = []

    def __init__(self, code: int) -> None:
        super().__init__(code)
        JobFailed.codes.append(code)


class UserConfigs(SearchPathPlugin):
    """The user's folders come before the shipped configs: they replace as well as add."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Put them right before the shipped folder one by one: the first named stays first."""
        for folder in user_configs():
            search_path.prepend("user", f"file://{folder}", SearchPathQuery(provider="main"))


def hydra_command(
    config_name: str, *overrides: str, after_sweep: Callable[[Path], None] | None = None
) -> Callable[[Run], Callable[[list[str]], int]]:
    """Turn `run(cfg)` into `main(argv) -> exit code`; `overrides` come after the user's.

    What `run` returns is what a sweeper looks at; `after_sweep` gets the folder of a sweep.
    """

    def wrap(run: Run) -> Callable[[list[str]], int]:
        def main(argv: list[str]) -> int:
            JobFailed.codes.clear()
            args, parser = _parsed(argv, overrides)
            version.setbase("1.3")
            Plugins.instance().register(UserConfigs)
            shows = args.cfg or args.info or args.help or args.hydra_help
            output = printable_output() if shows else nullcontext()
            with _surroundings(args), summed_up(after_sweep), output:
                try:
                    _run_hydra(args, parser, _job(run), str(CONFIG_DIR), config_name)
                except JobFailed:
                    pass  # it has told, and is counted
                except COMPOSING as error:
                    raise UserError(in_one_line(error, args.overrides)) from error
                except OSError as error:  # of a job it would be a JobFailed
                    what = f"{error.filename or 'the run folder'}: {error.strerror}"
                    raise UserError(f"{what}; name another by hydra.run.dir=FOLDER") from error
            return min(JobFailed.codes, default=0)  # our fault, 1, is worse than the user's, 2

        return main

    return wrap


def output_folder() -> Path:
    """The run folder of the job at work."""
    return Path(HydraConfig.get().runtime.output_dir)


def keep_words(cfg: DictConfig, folder: Path) -> None:
    """Write .hydra/ as Hydra would, but never over that of a run which already stands there."""
    from kdistill.artifacts.files import make_folder, write_text  # imports torch
    from kdistill.artifacts.run_folder import RunFolder

    kept, notes = RunFolder(folder), RunFolder(folder).words
    kept.refuse_links()
    if kept.config.is_file() and not kept.failed.is_file():
        return
    hydra = HydraConfig.get()
    make_folder(notes)
    write_text(notes / "config.yaml", OmegaConf.to_yaml(cfg))
    write_text(notes / "hydra.yaml", OmegaConf.to_yaml({"hydra": hydra}))
    write_text(notes / "overrides.yaml", OmegaConf.to_yaml(hydra.overrides.task))


def _parsed(
    argv: list[str], overrides: tuple[str, ...]
) -> tuple[argparse.Namespace, argparse.ArgumentParser]:
    """Hydra's own flags, in any order among the overrides; UserError for what it does not know."""
    parser = get_args_parser()

    def refuse(message: str) -> NoReturn:
        raise UserError(f"{message} (see --hydra-help)")

    parser.error = refuse  # type: ignore[method-assign]  # it would print its usage and exit
    args = parser.parse_intermixed_args(argv)
    if args.experimental_rerun:
        raise UserError(
            "--experimental-rerun unpickles a file; "
            "use --config-path RUN/.hydra --config-name config"
        )
    if args.config_path:  # Hydra would look beside this module, not beside the user
        if not Path(args.config_path).is_dir():
            raise UserError(f"--config-path: there is no folder {args.config_path}")
        args.config_path = str(Path(args.config_path).resolve())
    if not args.shell_completion:
        args.overrides += overrides
    return args, parser


@contextmanager
def _surroundings(args: argparse.Namespace) -> Iterator[None]:
    """Whole exceptions, --config-dir first among the user's folders, and logging put back after."""
    folders = [args.config_dir, os.environ.get("KDISTILL_CONFIGS")]
    found = os.pathsep.join(folder for folder in folders if folder)
    args.config_dir = None  # Hydra would append it, where it cannot replace a shipped option
    root = logging.getLogger()
    handlers, level, environment = root.handlers[:], root.level, dict(os.environ)
    os.environ.update(HYDRA_FULL_ERROR="1", KDISTILL_CONFIGS=found)
    try:
        user_configs()  # refuses a folder that is not there
        yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        for handler in set(root.handlers) - set(handlers):
            handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)


def _returned(job: JobReturn) -> Any:
    """What a job returned or raised, without the line that Hydra prints about the latter."""
    if job.status is JobStatus.FAILED:
        raise job._return_value
    return job._return_value


def _set_returned(job: JobReturn, value: Any) -> None:
    job._return_value = value


def patch_hydra() -> None:
    """Two places where Hydra offers none: what a job returned, and who reads config files."""
    JobReturn.return_value = property(_returned, _set_returned)  # type: ignore[assignment]
    hydra._internal.hydra.ConfigLoaderImpl = HeldConfigs  # type: ignore[attr-defined]


patch_hydra()


def _job(run: Run) -> Run:
    """`run`, telling its own failure, so that a sweep reports each one when it happens."""
    environment = given_environment()  # what the job's config adds is no person's word

    @wraps(run)
    def job(cfg: DictConfig) -> float | None:
        try:
            with environment_of(environment), long_names():
                return run(cfg)
        except (UserError, MissingMandatoryValue, InterpolationResolutionError) as error:
            message = str(error) if isinstance(error, UserError) else in_one_line(error)
            log.info("failed", exc_info=True)
            print(f"kdistill: {printable(message)}", file=sys.stderr, flush=True)
            raise JobFailed(2) from error
        except Exception as error:
            log.info("failed", exc_info=True)
            if isinstance(error, ProcessesFailed):  # one of them has told
                raise JobFailed(error.args[0]) from error
            print_traceback(type(error), error, error.__traceback__)
            raise JobFailed(1) from error

    return job
