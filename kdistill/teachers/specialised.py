"""Specialised: a generalist and its specialists as one network (Hinton et al. 2015, 5.4)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kdistill.data.specialty import Specialty
from kdistill.data.tree import Tree, device_of, rows
from kdistill.teachers.agreement import SOLVERS, Evidence


class Specialised(nn.Module):
    """Raw inputs to log q [batch, classes], float32: what the generalist and the specialists of
    its `active` most probable classes agree on. Without such a specialist: the generalist's word.
    """

    def __init__(
        self, generalist: nn.Module, specialists: "Sequence[Voice]", active: int, solver: str
    ) -> None:
        super().__init__()
        self.generalist = generalist
        self.specialists: Sequence[Voice] = nn.ModuleList(specialists)  # type: ignore[assignment]
        self.active, self.solver = active, solver

    def forward(self, inputs: Tree) -> Tensor:
        general, device = probabilities(self.generalist(inputs)), device_of(inputs)
        chosen = general.topk(self.active, dim=1).indices
        named, voices = general.clone(), torch.ones_like(general[:, :1])
        dustbin = general.new_zeros(len(general), len(self.specialists))
        for place, specialist in enumerate(self.specialists):
            at = specialist.own[chosen].any(dim=1).nonzero().flatten()
            if len(at):  # the others are spared the work
                of_class, of_others = specialist.says(rows(inputs, at.to(device)))
                named.index_add_(0, at, of_class)
                dustbin[at, place] = of_others
                voices[at] += 1
        outside = torch.stack([specialist.outside for specialist in self.specialists])
        with torch.autocast(general.device.type, enabled=False):
            q = SOLVERS[self.solver](Evidence(general, named, dustbin, outside.double(), voices))
        return q.log().float().to(device)

    def uncorrected(self) -> "Specialised":
        """The same networks without the specialists' corrections."""
        plain = [
            Voice(each.network, each.specialty, len(each.own), 0.0) for each in self.specialists
        ]
        made = Specialised(self.generalist, plain, self.active, self.solver)
        return made.to(self.specialists[0].own.device).eval()


class Voice(nn.Module):
    """A specialist's `network`, its classes among `classes`, and the correction of its answers.

    correction: added to the logit of the dustbin, or of all classes that are not its own where the
    network has no dustbin; see `correction_of`.
    """

    own: Tensor
    outside: Tensor
    added: Tensor

    def __init__(
        self, network: nn.Module, specialty: Specialty, classes: int, correction: float
    ) -> None:
        super().__init__()
        self.network, self.specialty, self.correction = network, specialty, correction
        own = torch.zeros(classes, dtype=torch.bool)
        own[list(specialty.classes)] = True
        dustbin = specialty.dustbin
        added = torch.tensor([False] * len(specialty.classes) + [True]) if dustbin else ~own
        self.register_buffer("own", own)
        self.register_buffer("outside", (~own & dustbin).float())
        self.register_buffer("added", correction * added.float())

    def says(self, inputs: Tree) -> tuple[Tensor, Tensor]:
        """Probabilities [batch, classes], 0 where it names none, and of its dustbin [batch]."""
        logits = self.network(inputs)
        said = probabilities(logits + self.added)
        if not self.specialty.dustbin:
            return said, said.new_zeros(len(said))
        of_class = said.new_zeros(len(said), len(self.own))
        of_class[:, list(self.specialty.classes)] = said[:, :-1]
        return of_class, said[:, -1]


def correction_of(share: float) -> float:
    """What undoes that a specialist saw as many examples of its classes as of all others.

    share: of its classes among all examples, in (0, 1). They were over-sampled by the odds
    (1 - share) / share; the log of it belongs to the logit of the others.
    """
    return float(torch.logit(torch.tensor(1 - share, dtype=torch.float64)))


def probabilities(logits: Tensor) -> Tensor:
    """softmax in float64, each > 0; on the CPU where the device has no float64."""
    where = "cpu" if logits.device.type == "mps" else logits.device
    return logits.float().to(where).double().softmax(dim=1).clamp_min(1e-300)
