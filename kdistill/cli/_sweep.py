"""Where a sweep (-m) keeps its jobs: all in one folder, each in one named by its overrides."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict

from kdistill.errors import UserError

LONGEST = 80  # characters of a folder's name; file systems take 255 bytes
# lower case: a file system that ignores case keeps these apart too
PLAIN = re.compile(r"[a-z0-9_+][a-z0-9_.=,+-]*=[a-z0-9_.=,+-]*[a-z0-9_+=-]")
HASHED = re.compile(r"-[0-9a-f]{12}")


def slug(overrides: str) -> str:
    """`overrides` as the name of a folder on any file system; other overrides, another name.

    Harmless ones stay as they are. Where letters are replaced, cut off, or differ from others by
    their case alone, 12 digits of a hash end the name; no overrides at all are "defaults".
    """
    if not overrides:
        return "defaults"
    another = HASHED.fullmatch(overrides[-13:])  # it might be the name of other overrides
    if PLAIN.fullmatch(overrides) and len(overrides) <= LONGEST and not another:
        return overrides
    digest = sha256(overrides.encode()).hexdigest()[:12]
    safe = re.sub(r"[^A-Za-z0-9_.=,+-]+", "_", overrides).strip("._-") or "job"
    return f"{safe[: LONGEST - 13]}-{digest}"


class OneFolder(Callback):  # type: ignore[misc,unused-ignore]
    """Holds all jobs to one folder, also where its name depends on a key that is swept (name)."""

    begun: ClassVar[Path | None] = None  # the folder of the sweep that began last

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Each job composes its own config, and must find the folder's name settled there."""
        folder = str(config.hydra.sweep.dir)
        OneFolder.begun = Path(folder)
        if os.path.islink(noted := os.path.join(folder, "multirun.yaml")):
            os.unlink(noted)  # Hydra would write through it
        quoted = folder.replace("'", r"\'")
        with open_dict(config):
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir='{quoted}'")


@contextmanager
def summed_up(show: Callable[[Path], None] | None) -> Iterator[None]:
    """Call `show` with the folder of the sweep that was run inside, however its jobs ended.

    Hydra's own on_multirun_end is not called when one of them failed.
    """
    OneFolder.begun, mistaken = None, False
    try:
        yield
    except UserError:  # found while composing: no job began
        mistaken = True
        raise
    finally:
        if show and OneFolder.begun and not mistaken:
            show(OneFolder.begun)


# here, because the processes of other launchers import this file, and run no `main`
OmegaConf.register_new_resolver("kd.slug", slug, replace=True)
