"""The code behind a config, as hashes of files: what trained weights were made by.

A module counts with every module that it imports, directly or through others, wherever in a file
the import stands; a file that nobody imports changes nothing. Imports are read off the syntax tree,
so nothing is run. Of kdistill those rooms count whose code decides what a trained model becomes; of
a user's code the files that lie beneath the folder where Python found the module; of an installed
package all files, because such packages load much by name; torch counts by its version, which
whoever asks adds.
"""

import ast
import hashlib
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from kdistill.config.build import resolve, targets, to_plain

TRAINING = ("data", "models", "signals", "losses", "engine", "tasks", "teachers")
ROOT = Path(__file__).parents[2]  # the folder that kdistill lies in
BY_VERSION = ("torch", "torchvision")
INSTALLED = ("site-packages", "dist-packages")


def source_hashes(*configs: Any, modules: Iterable[str] = ()) -> dict[str, str]:
    """The hash of each file behind the `_target_`s of `configs` and the loaded `modules`, by name.

    A file is read once in a process, as its code is.
    """
    named = set(modules)
    for config in configs:
        for _, node in targets(to_plain(config)):
            home = getattr(resolve(node["_target_"]), "__module__", None)
            named |= {node["_target_"].rpartition(".")[0], home or ""}
    found: dict[str, str] = {}
    for name in named:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file and _package(name) not in BY_VERSION:
            found.update(_behind(name, Path(file)))
    return dict(sorted(found.items()))


@cache
def _behind(start: str, file: Path) -> Mapping[str, str]:
    """Hashes by module of the module `start` in `file` and of all that it imports."""
    root = file.parents[start.count(".") + (file.stem == "__init__")]
    if root.name in INSTALLED and _package(start) != "kdistill":
        folder = root / _package(start)
        files = sorted(folder.rglob("*.py")) if folder.is_dir() else [file]
        return {str(each.relative_to(root)): _digest(each.read_bytes()) for each in files}
    found: dict[str, str] = {}
    waiting = {start: file}
    while waiting:
        name, place = waiting.popitem()
        found[name], imported = _read(name, place)
        waiting.update(_modules(imported - found.keys(), root))
    return {name: digest for name, digest in found.items() if digest}


def _modules(names: Iterable[str], root: Path) -> Iterator[tuple[str, Path]]:
    """(name, file) of those `names` that are modules that count."""
    for name in names:
        ours = _package(name) == "kdistill"
        if ours and not name.startswith(tuple(f"kdistill.{room}." for room in TRAINING)):
            continue
        place = (ROOT if ours else root).joinpath(*name.split("."))
        for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if file.is_file():
                yield name, file
                break


@cache
def _read(name: str, file: Path) -> tuple[str, frozenset[str]]:
    """The hash of a module's file, "" for a package without code, and what it may import."""
    content, is_package = file.read_bytes(), file.stem == "__init__"
    packages = frozenset(_with_packages([name])) - {name}
    try:
        tree = _parsed(content)
    except (SyntaxError, ValueError):  # compiled; or never run so far
        return _digest(content), packages
    imported = _imports(tree, name if is_package else name.rpartition(".")[0])
    empty = is_package and len(tree.body) == bool(ast.get_docstring(tree))
    return "" if empty else _digest(content), packages.union(_with_packages(imported))


def _parsed(content: bytes) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the user's code, which Python has warned of
        return ast.parse(content)


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    """Every name that may be a module: what is taken from a package may be one or not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            base = ".".join([*above, node.module] if node.module else above)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _with_packages(names: Iterable[str]) -> Iterator[str]:
    """Each of `names`, and the packages that it lies in, which Python runs before it."""
    for name in names:
        parts = name.split(".")
        yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def _package(name: str) -> str:
    return name.partition(".")[0]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
