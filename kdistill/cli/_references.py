"""How large a config becomes when its references ${...} are replaced, found before they are.

Ten lines of YAML that each name the one before ten times stand for ten thousand million values.
"""

import re
from collections.abc import Iterator
from typing import Any

from kdistill.errors import UserError

LARGEST = 1_000_000  # keys and characters of a config with its references replaced
MOST = 32  # references in one value
LONGEST = 10_000  # characters of a value with references
# a reference whose key is made of another: nobody can say beforehand what it stands for
MADE = re.compile(r"\$\{[^${}:]*\$\{|\$\{\s*oc\.[^${}]*\$\{")
KEY = re.compile(r"[.\w\[\]]+(?!:)\b")  # not the name of a resolver, which a colon follows
Place = tuple[Any, tuple[Any, ...]]  # a value, and the containers around it from the outermost on


def refuse_nesting(config: Any, file: str) -> None:
    """UserError naming `file` for a value that holds more than MOST references."""
    for text in _texts(config):
        if text.count("${") > MOST:
            raise UserError(f"{file}: a value holds more than {MOST} references ${{...}}")
        if "${" in text and (len(text) > LONGEST or MADE.search(text)):
            raise UserError(
                f"{file}: a value with a reference ${{...}} is over {LONGEST} characters, or "
                "its key is made of another reference"
            )


def refuse_growth(config: Any) -> None:
    """UserError for a plain config, references as they stand, that grows beyond LARGEST.

    Every word inside ${...} that names a key counts as a reference to it: the size may be
    estimated too large, but not too small.
    """
    sizes: dict[tuple[int, Any], int | None] = {}

    def size(node: Any, around: tuple[Any, ...]) -> int:
        if isinstance(node, (dict, list)):
            values = node.values() if isinstance(node, dict) else node
            return once((id(node), None), lambda: sum(size(v, (*around, node)) for v in values))
        if not isinstance(node, str) or "${" not in node:
            return len(node) if isinstance(node, str) else 1
        places = (place for key in KEY.findall(_inside(node)) for place in named(key, around))
        return once((id(around[-1]), node), lambda: sum(size(*place) for place in places))

    def once(key: tuple[int, Any], count: Any) -> int:
        if key not in sizes:
            sizes[key] = None
            sizes[key] = 1 + count()
        found = sizes[key]
        if found is None:
            raise UserError(f"{key[1] or 'the config'}: refers to itself")
        return found

    def named(key: str, around: tuple[Any, ...]) -> Iterator[Place]:
        tops = [config, config.get("hydra")] if isinstance(config, dict) else [config]
        for top in tops if key[0] != "." else [None]:
            place = _place(key, around if top is None else (top,))
            if place is not None:
                yield place

    if size(config, ()) > LARGEST:
        raise UserError(
            f"the references ${{...}} of this config make more than {LARGEST:,} values of it"
        )


def _place(key: str, around: tuple[Any, ...]) -> Place | None:
    """Where the dotted `key` stands, from the last of `around` on; None: there is no such key."""
    name = key.lstrip(".")
    dots = max(len(key) - len(name), 1)  # the first dot means: beside this value
    if dots > len(around):
        return None
    *above, node = around[: len(around) - dots + 1]
    for part in filter(None, re.split(r"[.\[\]]+", name)):
        above.append(node)
        if isinstance(node, dict) and part in node:
            node = node[part]
        elif isinstance(node, list) and part.isdecimal() and int(part) < len(node):
            node = node[int(part)]
        else:
            return None
    return node, tuple(above)


def _inside(text: str) -> str:
    """What stands inside ${...} in a text."""
    depth, found = 0, []
    for part in re.split(r"(\$\{|\})", text):
        depth = max(depth + {"${": 1, "}": -1}.get(part, 0), 0)
        found.append(part if depth else " ")
    return "".join(found)


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _texts(key)
            yield from _texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)
