"""Any image classifier of torchvision, by its name there."""

from difflib import get_close_matches
from typing import Any

from torch import Tensor, nn

# these two have a second output, and warn unless they are told how to start
WITH_AUXILIARY_OUTPUT = ("googlenet", "inception_v3")


class TorchvisionClassifier(nn.Module):
    """Images [batch, 3, height, width] to logits [batch, classes]; starts untrained.

    name: as torchvision.models.list_models(module=torchvision.models) gives it. ValueError with
    near names when there is none such.
    """

    def __init__(self, name: str, classes: int) -> None:
        super().__init__()
        import torchvision  # slow to import, and only this model needs it

        names = torchvision.models.list_models(module=torchvision.models)
        if name not in names:
            near = get_close_matches(name, names, n=3) or names[:3]
            raise ValueError(
                f"name must be a torchvision classifier such as {', '.join(near)}, got {name!r}"
            )
        extra: dict[str, Any] = {}
        if name in WITH_AUXILIARY_OUTPUT:
            extra = {"aux_logits": False, "init_weights": True}
        self.network = torchvision.models.get_model(
            name, weights=None, num_classes=classes, **extra
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Floats [batch, 3, height, width] to logits [batch, classes]."""
        logits: Tensor = self.network(inputs)
        return logits
