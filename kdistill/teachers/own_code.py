"""OwnCode: the user's own modules as one process has them, for another to have the same."""

import os
import sys
from dataclasses import dataclass
from importlib import import_module

from kdistill.config.build import trusted


@dataclass(frozen=True)
class OwnCode:
    """KDISTILL_TRUST, the current folder, and the trusted modules that are loaded.

    Data that are sent may be made of their classes.
    """

    trust: str
    folder: str
    modules: tuple[str, ...]

    @classmethod
    def here(cls) -> "OwnCode":
        """That of this process."""
        own = trusted()
        loaded = tuple(sorted(name for name in sys.modules if own and f"{name}.".startswith(own)))
        return cls(os.environ.get("KDISTILL_TRUST", ""), os.getcwd(), loaded)

    def load(self) -> None:
        """Trust and import the same here; ImportError where the folder is not shared."""
        os.environ["KDISTILL_TRUST"] = self.trust
        if self.modules and self.folder not in sys.path:
            sys.path.insert(0, self.folder)
        for name in self.modules:
            import_module(name)
