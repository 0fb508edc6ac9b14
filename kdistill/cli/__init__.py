"""`kdistill <command> ...`: the first word picks a command, which reads the rest.

Imports the standard library alone, so that `kdistill --help` answers at once. (The built-in list
is out of reach in this file: the command of that name hides it once it is imported.)
"""

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from io import StringIO

from kdistill.cli._log import print_traceback
from kdistill.errors import ProcessesFailed, Stopped, UserError, did_you_mean, long_names
from kdistill.paths import environment_of
from kdistill.printable import printable

COMMANDS = {
    "train": "compose a run from the configs and execute it (every Hydra flag works)",
    "resume": "go on with an interrupted run, exactly where it was",
    "check": "compose a run, test it, and print its plan; run nothing",
    "evaluate": "measure the models of a finished run again",
    "report": "print what a run or a sweep has shown, and write its reports again",
    "diff": "compare two runs: config, measures, answers that changed",
    "sample": "write samples of a run's density to a file",
    "list": "list the config groups, or the options of one",
    "cache": "list or remove stored teachers and their answers",
}
COMPLETED_BY_HYDRA = ("train", "check")
# words with a letter that a shell may act on
UNSAFE = re.compile(r"[^ \n]*[^\w \n./=+,:@%[\]~-][^ \n]*")

HELP = """usage: kdistill <command> ...

Distil a cumbersome model into a convenient one, and prove what was gained.

commands:
{commands}

kdistill <command> --help tells more. To begin with:
  kdistill train +experiment=mnist_ensemble
  kdistill train -m loss.temperature=1,4,20
Tab completion: eval "$(kdistill -sc install=bash)\""""


def main(argv: list[str] | None = None) -> int:
    """Run one command; exit code 0, 1 (our fault), 2 (the user's), 130 or 143 (interrupted)."""
    if argv is None:  # a program of its own, whose tracebacks may quote a file
        sys.excepthook = print_traceback
    try:
        try:
            with environment_of(os.environ), _safe_path(), long_names():
                return _dispatch(sys.argv[1:] if argv is None else argv)
        except Exception:
            if os.environ.get("RANK", "0") != "0":  # of several processes the first one tells; if
                time.sleep(15)  # it has as much to say, this one is ended meanwhile
            raise
    except UserError as error:
        print(f"kdistill: {printable(error)}", file=sys.stderr)
        return 2
    except ProcessesFailed as failed:
        return int(failed.args[0])
    except Stopped as stopped:
        return stopped.exit_code
    except KeyboardInterrupt:
        print("kdistill: interrupted", file=sys.stderr)
        return 130
    except SystemExit as stop:  # how argparse and Hydra end after --help
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)


@contextmanager
def _safe_path() -> Iterator[None]:
    """Processes started inside import nothing from the current folder, which may be a stranger's.

    Python 3.10 does not know of this; modules that KDISTILL_TRUST names are found all the same.
    """
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        del os.environ["PYTHONSAFEPATH"]
        if before is not None:
            os.environ["PYTHONSAFEPATH"] = before


def _dispatch(argv: list[str]) -> int:
    first = argv[0] if argv else ""
    if first in ("-sc", "--shell-completion"):
        return _complete(argv)
    if first in ("", "-h", "--help", "help"):
        commands = "\n".join(f"  {name:10}{what}" for name, what in COMMANDS.items())
        print(HELP.format(commands=commands))
        return 0 if first else 2
    if first == "--version":
        from importlib.metadata import version  # slow to import, and needed here alone

        print("kdistill", version("kdistill"))
        return 0
    if first not in COMMANDS:
        hint = did_you_mean(first, COMMANDS) or f"; choose from {', '.join(COMMANDS)}"
        raise UserError(f"no command {first!r}{hint}")
    return _start(first, argv[1:])


def _start(command: str, argv: list[str]) -> int:
    code: int = import_module(f"kdistill.cli.{command}").main(argv)
    return code


def _complete(argv: list[str]) -> int:
    """Answer Hydra's completion script: the second word is a command, Hydra completes the rest."""
    if not "".join(argv[1:]).startswith("query"):
        return _start("train", argv)  # prints the script to be installed
    words = os.environ.get("COMP_LINE", "").split(" ")
    if len(words) <= 2:
        print(" ".join(name for name in COMMANDS if name.startswith("".join(words[1:]))))
        return 0
    command = words.pop(1)
    if command not in COMPLETED_BY_HYDRA:
        return 0  # the shell offers files
    os.environ["COMP_LINE"] = " ".join(words)
    with redirect_stdout(StringIO()) as output:
        code = _start(command, argv)
    # bash runs what stands in $(...) in a word that is offered: a file may be named so
    print(UNSAFE.sub("", output.getvalue()))
    return code
