"""Community: networks trained at the same time on the same batches, answering as an ensemble.

codistillation (Hinton, Vinyals & Dean, slides "Dark knowledge": ten networks that each also match
the community's average prediction; Anil et al. 2018, algorithm 1): member k minimises

    own(z_k) + peer_weight * peers(z_k, v_k),     by default CE(y, z_k) + weight * T^2 * KL

where v_k is the average of the other members' predictions on the batch at this step, without a
gradient: `combine` says whether of their probabilities or of their logits, and the temperature is
applied to the result, as to any ensemble here.
average (the control of Allen-Zhu & Li 2020): own(the members' combined answer) alone.
alone: own(z_k), an ensemble whose members see the batches in one order.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from kdistill.artifacts.files import fingerprint
from kdistill.artifacts.result import Table
from kdistill.config.build import build
from kdistill.data.batch import Dataset
from kdistill.engine.fit import Validate
from kdistill.engine.objective import Objective
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.losses.loss import Loss, compares_logits
from kdistill.tasks.classification import Combined
from kdistill.tasks.task import Task
from kdistill.teachers.ensemble import COMBINATIONS
from kdistill.teachers.network import NetworkTeacher
from kdistill.teachers.peers import Members, Peers
from kdistill.teachers.teacher import Context, Training
from kdistill.teachers.together import combinations_table

LEARNING = ("codistillation", "average", "alone")


class Community(NetworkTeacher):
    """`members` >= 2 networks of one `model`; member k starts as that of an Ensemble, from the seed
    1000 * seed + k, and all see the batches of its member 0.

    loss: of each on the labels; peers: a loss on logits towards the others, weighed by peer_weight
    >= 0. One training and one file of weights, so a resume point is that of all members. A limit on
    the gradients' norm (fit.clip) is one for all. Validation looks at the combined answer, and adds
    the members' mean as member_errors, member_nll.
    """

    def __init__(
        self,
        members: int,
        learning: str,
        combine: str,
        model: Mapping[str, Any],
        loss: Mapping[str, Any],
        peers: Mapping[str, Any],
        fit: Mapping[str, Any],
        peer_weight: float = 1.0,
        augmentation: Sequence[Mapping[str, Any]] = (),
        seed: int = 0,
    ) -> None:
        super().__init__(model, loss, fit, augmentation, seed=1000 * seed)
        if members < 2:
            raise ValueError(f"members must be >= 2, got {members}")
        if learning not in LEARNING:
            raise ValueError(f"learning must be one of {', '.join(LEARNING)}, got {learning}")
        if combine not in COMBINATIONS:
            raise ValueError(f"combine must be arithmetic or geometric, got {combine}")
        if not peer_weight >= 0:
            raise ValueError(f"peer_weight must be >= 0, got {peer_weight:g}")
        self.count, self.learning, self.combine = members, learning, combine
        self.peers, self.peer_weight = peers, peer_weight

    def made(self, dataset: Dataset, task: Task, seed: int) -> nn.Module:
        """All members; they are combined only when they are asked as one."""
        one = super().made
        return Combined([one(dataset, task, seed + k) for k in range(self.count)], self.combine)

    def prepare(self, context: Context) -> None:
        """Load or train all members."""
        super().prepare(context)
        self.members = members_of(self.network)

    def _name(self, data: str, precision: str) -> str:
        how: list[Any] = [self.count, self.learning, self.combine]
        if self.learning == "codistillation":
            how += [self.peer_weight, self.peers, self.code(self.peers)]
        return fingerprint(super()._name(data, precision), how)

    def objective(self, loss: Loss) -> Objective:
        """The members by their losses, or the combined answer by its own."""
        if self.learning == "average":
            return Objective(self.network, loss)
        community = Members(members_of(self.network))  # the same modules
        if self.learning == "alone":
            return Objective(community, Peers(loss, None, 0.0, self.combine))
        peers: Loss = build(self.peers, roles=(Loss,), key="teacher.peers")
        if not compares_logits(peers):
            raise UserError(
                "teacher.peers: members compare their logits, and this loss does not; "
                "use loss@teacher.peers=soft_targets, or teacher.learning=alone"
            )
        return Objective(community, Peers(loss, peers, self.peer_weight, self.combine))

    def validator(self, context: Context) -> Validate:
        """The combined answer, and the mean of what the members score."""
        measured = super().validator(context)

        def validate(trained: nn.Module) -> dict[str, float]:
            members = members_of(trained)
            together = measured(Combined(members, self.combine))
            each = [measured(member) for member in members]
            means = {f"member_{n}": sum(one[n] for one in each) / len(each) for n in together}
            return {**together, **means}

        return validate

    def trainings(self, data: str | None, precision: str, cache: Path | None) -> list[Training]:
        """A line for each member, though they are one training."""
        (all_,) = super().trainings(data, precision, cache)
        what = f"{all_.what}, all members at once"
        return [
            Training(f"teacher {k + 1}/{self.count}", self.model, all_.epochs, all_.reused, what)
            for k in range(self.count)
        ]

    def tables(self, dataset: Dataset, process: Process) -> list[Table]:
        """How the members do alone and together."""
        return [combinations_table(self.members, dataset, process)]

    def describe(self, data: str) -> str:
        """For `kdistill cache list`."""
        return f"{self.count} members ({self.learning}): {super().describe(data)}"

    def reference(self) -> dict[str, object]:
        """Which community it was."""
        about = {"hash": self.hash, "learning": self.learning, "combine": self.combine}
        members = [{"kind": "network", "model": self.model}] * self.count
        return {"kind": "community", **about, "members": members}


def members_of(community: nn.Module) -> list[nn.Module]:
    """The networks inside a Members or a Combined."""
    assert isinstance(community, (Members, Combined))
    return list(community.members)
