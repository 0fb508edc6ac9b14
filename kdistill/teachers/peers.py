"""Networks that learn at the same time: their answers side by side, and the loss on those."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kdistill.data.batch import Batch
from kdistill.data.tree import Tree
from kdistill.losses.loss import Loss, Shapes, logits_of, number
from kdistill.signals.signal import ANSWER, Signal
from kdistill.signals.signals import Signals
from kdistill.tasks.classification import combined


class Members(nn.Module):
    """Several networks that are asked about the same inputs: logits [members, batch, classes]."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, inputs: Tree) -> Tensor:
        return torch.stack([member(inputs) for member in self.members])


class Peers(Loss):
    """total = sum_k (own(z_k) + weight * peers(z_k, v_k)) over the members' logits z_k.

    v_k is what the other members say at this step, combined as an ensemble's logits are, and held
    fixed: no gradient reaches a member through its peers' targets. The sum (not the mean) gives
    each member the gradient that it would have alone; the terms own and peers are means over the
    members. weight >= 0. `own` asks no teacher, `peers` compares logits (None: nobody is compared
    with); at least two members.
    """

    teacher_needs = frozenset[Signal]()  # nobody but the members themselves
    weight: Tensor

    def __init__(self, own: Loss, peers: Loss | None, weight: float, combine: str) -> None:
        super().__init__()
        self.own, self.combine = own, combine
        self.peers = peers if weight > 0 else None
        self.register_buffer("weight", number("peer_weight", weight, 0))
        self.needs_targets = own.needs_targets or bool(self.peers and self.peers.needs_targets)

    def bind(self, student: Shapes, teacher: Shapes) -> None:
        """Both losses are of one member: of [batch, classes] behind the members."""
        one = {signal: shape[1:] for signal, shape in student.items()}
        self.own.bind(one, {})
        if self.peers:
            self.peers.bind(one, one)

    def forward(self, student: Signals, teacher: Signals | None, batch: Batch) -> dict[str, Tensor]:
        said = logits_of(student)  # [members, batch, classes]
        own, peers = [], []
        for member, logits in enumerate(said):
            asked = Signals({ANSWER: logits})
            own.append(self.own(asked, None, batch)["total"])
            if self.peers:
                taught = Signals({ANSWER: of_the_others(said.detach(), member, self.combine)})
                peers.append(self.peers(asked, taught, batch)["total"])
        each = torch.stack(own)
        if not self.peers:
            return {"total": each.sum(), "own": each.mean()}
        towards = torch.stack(peers)
        total = (each + self.weight * towards).sum()
        return {"total": total, "own": each.mean(), "peers": towards.mean()}


def of_the_others(said: Tensor, member: int, combine: str) -> Tensor:
    """What all but one of the members [members, batch, classes] say together: [batch, classes]."""
    return combined(torch.cat([said[:member], said[member + 1 :]]), combine)
