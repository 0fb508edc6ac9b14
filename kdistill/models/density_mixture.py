"""DensityMixture: several densities as one, the mean of theirs."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kdistill.models.network import inner


class DensityMixture(nn.Module):
    """p(x) = sum_k p_k(x) / K of normalised densities, so that it is one: what an ensemble of NADEs
    says (Papamakarios 2015, chapter 4). `members` answer raw inputs with log p_k [batch].
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, inputs: Tensor) -> Tensor:
        """log p [batch], in nats."""
        return self._mean(torch.stack([member(inputs) for member in self.members]))

    def score(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """log p [batch] and d log p / dx, of the shape of `inputs`: the members' scores, each
        weighted by the probability that x is of that member."""
        asked = [member.score(inputs) for member in self.members]  # type: ignore[operator]
        values = torch.stack([value for value, _ in asked])
        scores = torch.stack([score for _, score in asked])
        weights = values.softmax(dim=0).view(*values.shape, *[1] * (scores.dim() - 2))
        return self._mean(values), (weights * scores).sum(dim=0)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Exact samples, floats of 0 and 1 [count, *input]: of a member each, taken by lot."""
        of = torch.randint(
            len(self.members), (count,), generator=generator, device=generator.device
        )
        drawn = [
            inner(member).sample(int((of == k).sum()), generator)  # type: ignore[operator]
            for k, member in enumerate(self.members)
        ]
        return torch.cat(drawn)[of.argsort(stable=True).argsort()]

    def _mean(self, values: Tensor) -> Tensor:
        return values.logsumexp(dim=0) - math.log(len(values))
