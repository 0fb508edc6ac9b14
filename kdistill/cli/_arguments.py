"""The argument parser of the commands that are not Hydra's: a mistake is one line."""

import argparse
from typing import NoReturn

from kdistill.cli import COMMANDS
from kdistill.errors import UserError


class Parser(argparse.ArgumentParser):
    """Parser of `kdistill <command>`; raises UserError instead of printing its usage."""

    def __init__(self, command: str) -> None:
        super().__init__(f"kdistill {command}", description=COMMANDS[command], allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise `message` as UserError."""
        raise UserError(f"{message} (see {self.prog} --help)")
