"""HeldOut: what a teacher says of the validation and the test set, asked once for a whole sweep."""

import time
from pathlib import Path
from typing import Literal

from filelock import FileLock
from torch import Tensor, nn

from kdistill.artifacts.environment import versions
from kdistill.artifacts.files import fingerprint, make_folder, read_tensors, write_tensors
from kdistill.engine.predict import predict
from kdistill.errors import UserError
from kdistill.events import Listener, Warned
from kdistill.parts import Parts
from kdistill.signals.store import describe

Part = Literal["validation", "test"]


class HeldOut:
    """Logits [n, classes] of the prepared teacher of `parts`, and of each of its members.

    They are kept in `cache` under the teacher's hash and the weights of who was asked, and in
    memory; damaged ones are told and asked for again. UserError for NaN.
    """

    def __init__(self, parts: Parts, cache: Path, tell: Listener) -> None:
        self._parts, self._cache, self._tell = parts, cache, tell
        self._known: dict[tuple[int, Part], Tensor] = {}

    def teacher(self, part: Part) -> Tensor:
        """Of the teacher."""
        assert self._parts.teacher
        return self._said(self._parts.teacher.network, part)

    def members(self, part: Part) -> list[Tensor]:
        """Of each of the networks that it combines."""
        teacher = self._parts.teacher
        return [self._said(member, part) for member in teacher.members] if teacher else []

    def _said(self, network: nn.Module, part: Part) -> Tensor:
        key = id(network), part
        if key not in self._known:
            self._known[key] = self._kept(network, part)
        return self._known[key]

    def _kept(self, network: nn.Module, part: Part) -> Tensor:
        data, teacher = self._parts.dataset, self._parts.teacher
        if not (teacher and teacher.hash and data.fingerprint):
            return self._asked(network, part)
        name = fingerprint(teacher.hash, data.fingerprint, part, self._parts.process.precision)
        folder, weights = self._cache / "answers" / name, network.state_dict()
        file = folder / f"{fingerprint([*weights], *weights.values(), versions())}.safetensors"
        make_folder(folder)
        with FileLock(f"{folder}.lock"):
            if file.is_file():
                try:
                    return read_tensors(file)["logits"]
                except (UserError, KeyError) as error:
                    self._tell(Warned(f"the teacher is asked about the {part} set again ({error})"))
            started, said = time.monotonic(), self._asked(network, part)
            write_tensors(file, {"logits": said})
            describe(folder, f"{data.name}, {part} set", time.monotonic() - started)
        return said

    def _asked(self, network: nn.Module, part: Part) -> Tensor:
        said = predict(network, getattr(self._parts.dataset, part), self._parts.process)
        if said.isnan().any():
            raise UserError(
                f"teacher: its logits on the {part} set are NaN; lower its learning rate, or give "
                "other teacher.weights"
            )
        return said
