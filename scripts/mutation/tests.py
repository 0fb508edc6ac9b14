"""Which tests are to notice a mistake in a file of kdistill."""

import re
from collections import defaultdict
from functools import cache
from pathlib import Path

FEW = 5  # files of tests for a module that has none of its own
IMPORT = re.compile(r"(?:from|import) (kdistill[\w.]*)(?: import (\w+))?")


def tests_of(file: str, root: Path) -> tuple[str, ...]:
    """Files of tests for a `file` of kdistill; all paths are from `root`.

    The one that mirrors it; else the smallest of those that import it; else of those that mirror
    the modules which import it, and so on.
    """
    if own := mirror(file, root):
        return (own,)
    found, level, seen = importers(root, "tests")[file], {file}, set[str]()
    while level and not found:
        seen |= level
        level = {each for one in level for each in importers(root, "kdistill")[one]} - seen
        found = {test for each in level if (test := mirror(each, root))}
    return tuple(sorted(found, key=lambda test: ((root / test).stat().st_size, test))[:FEW])


def mirror(file: str, root: Path) -> str | None:
    """The tests of that file, or of the folder that it lies in."""
    path = Path("tests", *Path(file).parts[1:])
    own = path.with_name(f"test_{path.name}")
    of_folder = path.parent.with_name(f"test_{path.parent.name}.py")
    return next((test.as_posix() for test in (own, of_folder) if (root / test).is_file()), None)


@cache
def importers(root: Path, folder: str) -> dict[str, set[str]]:
    """By file of kdistill: the files in `folder` that import it; of tests only those called so."""
    found = defaultdict[str, set[str]](set)
    for path in root.glob(f"{folder}/**/{'test_' * (folder == 'tests')}*.py"):
        for base, name in IMPORT.findall(path.read_text(encoding="utf-8")):
            for module in (base, f"{base}.{name}"):
                found[f"{module.replace('.', '/')}.py"].add(path.relative_to(root).as_posix())
    return found
