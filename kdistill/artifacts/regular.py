"""Opens files to be read that may be a stranger's: regular ones alone."""

import os
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO

from kdistill.errors import UserError

# not all systems have both; without O_NONBLOCK, opening a FIFO waits for who writes into it
FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def open_regular(path: Path) -> BinaryIO:
    """`path`, open to be read as bytes; UserError where it is missing or may not be read.

    So is a folder, a FIFO or a device refused: reading one could wait, or go on, for ever.
    """
    try:
        descriptor = os.open(path, FLAGS)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:  # a name with a NUL in it
        raise UserError(f"{path!r}: cannot be read ({error})") from None
    mode = os.fstat(descriptor).st_mode
    if not S_ISREG(mode):
        os.close(descriptor)
        kind = "a folder" if S_ISDIR(mode) else "a pipe or a device"
        raise UserError(f"{path}: cannot be read (it is {kind}, not a file)")
    return os.fdopen(descriptor, "rb")
