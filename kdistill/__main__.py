"""`python -m kdistill` is `kdistill`; also what each of several processes of one run is."""

import sys

if not getattr(sys.flags, "safe_path", False):
    del sys.path[0]  # the current folder: its modules may be a stranger's

import os

from kdistill.cli import main

if __name__ == "__main__":
    code = main()
    if "RANK" in os.environ:  # gloo's threads can abort while Python ends (pytorch/pytorch#179291)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
