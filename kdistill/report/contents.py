"""Everything a report of one run is drawn from, read from its folder once."""

from dataclasses import dataclass
from typing import Any

from kdistill.artifacts.configs import read_config
from kdistill.artifacts.records import read_history
from kdistill.artifacts.result import Result
from kdistill.artifacts.run_arrays import Pictures, read_pictures
from kdistill.artifacts.run_folder import RunFolder


@dataclass(frozen=True)
class Contents:
    """What a finished run left; only `result` is always there."""

    result: Result
    config: dict[str, Any]  # config.yaml, references as they stand
    history: list[dict[str, Any]]  # lines of history.jsonl
    pictures: Pictures  # those that the result shows, where they still lie in the folder


def read(folder: RunFolder) -> Contents:
    """Read the finished run in `folder`; UserError when it is not finished, or a file is damaged.

    References in the config are left as they stand: a stranger's config must not read this
    machine's environment.
    """
    result = Result.read(folder.finished().result)
    config = read_config(folder.config) if folder.config.is_file() else {}
    history = [dict(vars(line)) for line in read_history(folder.history)]
    return Contents(result, config, history, read_pictures(folder, result.cases))
