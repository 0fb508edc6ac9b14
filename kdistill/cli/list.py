"""`kdistill list [GROUP [OPTION]]`: the config groups, the options of one, or the keys of that."""

import re
from collections.abc import Iterator
from pathlib import Path

from kdistill.artifacts.text import read_text
from kdistill.cli._arguments import Parser
from kdistill.errors import UserError, did_you_mean
from kdistill.paths import CONFIG_DIR, user_configs
from kdistill.printable import NAME, printable

MEANINGS = {
    "experiment": "whole runs by name: +experiment=NAME",
    "dataset": "the data, in three parts",
    "transfer": "which inputs the teacher is asked about",
    "teacher": "who answers",
    "student": "who learns",
    "loss": "how the student's answers are compared with the teacher's",
    "fit": "how models are fitted: optimizer, schedule, epochs, batch size",
    "task": "what the models are for",
    "device": "where it runs and in which precision",
}
HIDDEN = ("hydra",)  # Hydra's own groups


def main(argv: list[str]) -> int:
    """Print the groups, the options of the group that is named, or the YAML of an option, which
    says of each key what it means."""
    parser = Parser("list")
    parser.add_argument("group", nargs="?", help="list the options of this group")
    parser.add_argument("option", nargs="?", help="show the keys of this option, and their meaning")
    parser.add_argument("--config-dir", help="a folder of your own configs, besides the shipped")
    args = parser.parse_args(argv)
    folders = [*_own(args.config_dir), *user_configs(), CONFIG_DIR]
    if args.group is None:
        rows = [(name, MEANINGS.get(name, "")) for name in groups(folders)]
        after = "kdistill list GROUP shows its options; choose one with GROUP=OPTION"
    elif args.option is not None:
        text = "\n".join(texts(folders, args.group, args.option))
        print(printable(text, limit=None, lines=True))
        return 0
    else:
        rows = list(options(folders, args.group))
        after = (
            f"choose one with {'+' * (args.group == 'experiment')}{args.group}=OPTION; "
            f"kdistill list {args.group} OPTION shows its keys"
        )
    rows = [(printable(name, NAME), printable(what)) for name, what in rows]
    width = max(len(name) for name, _ in rows)
    print("\n".join(f"{name:{width}}  {what}".rstrip() for name, what in rows))
    print(f"\n{printable(after)}")
    return 0


def groups(folders: list[Path]) -> list[str]:
    """Names of all config groups, the known ones first."""
    found = {path.name for folder in folders for path in folder.iterdir() if path.is_dir()}
    found = {name for name in found if name not in HIDDEN and not name.startswith((".", "_"))}
    known = [name for name in MEANINGS if name in found]
    return known + sorted(found - set(known))


def options(folders: list[Path], group: str) -> Iterator[tuple[str, str]]:
    """Name and description of each option of a group."""
    for name, path in sorted(files(folders, group).items()):
        own = "" if CONFIG_DIR in path.parents else f"  ({path})"
        yield name, description(path) + own


def texts(folders: list[Path], group: str, option: str) -> Iterator[str]:
    """The YAML of an option, and of the parts of options (`_loop`) that it is made of."""
    found = files(folders, group)
    if option not in found:
        near = did_you_mean(option, found) or f"; choose from {', '.join(sorted(found))}"
        raise UserError(f"{group} has no option {option!r}{near}")
    text = read_text(found[option])
    yield text
    for part in re.findall(r"^ *- (_\w+)$", text, re.MULTILINE):
        paths = (folder / group / f"{part}.yaml" for folder in folders)
        yield from (read_text(path) for path in paths if path.is_file())


def files(folders: list[Path], group: str) -> dict[str, Path]:
    """The YAML of each option of a group; the first folder that has one wins."""
    names = groups(folders)
    if group not in names:
        near = did_you_mean(group, names) or f"; choose from {', '.join(names)}"
        raise UserError(f"no config group {group!r}{near}")
    found: dict[str, Path] = {}
    for folder in folders:
        for path in (folder / group).glob("[!_]*.yaml"):  # _loop.yaml is a part of options
            found.setdefault(path.stem, path)
    if not found:
        raise UserError(f"the config group {group!r} has no options yet")
    return found


def description(path: Path) -> str:
    """The second comment line of a config; the first is the command that uses it."""
    comments = [line for line in read_text(path).splitlines()[:10] if line[:1] == "#"]
    spoken = [line.lstrip("# ").strip() for line in comments if "@package" not in line]
    return spoken[1] if len(spoken) > 1 else ""


def _own(folder: str | None) -> list[Path]:
    if folder is None:
        return []
    if not Path(folder).is_dir():
        raise UserError(f"--config-dir: there is no folder {folder}")
    return [Path(folder).resolve()]
