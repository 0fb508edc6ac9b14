"""`python -m kdistill` is `kdistill`."""

import sys

from kdistill.cli import main

if __name__ == "__main__":
    sys.exit(main())
