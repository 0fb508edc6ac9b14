"""Work: the same data, models and arithmetic for every contender, made from a case and a seed."""

from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset
from torchvision.transforms import Compose, Normalize, ToTensor

from kdistill.models.mlp import MLP
from kdistill.models.resnet import ResNet
from side_by_side.cases import Case

BATCH, TEMPERATURE, HARD_WEIGHT = 128, 4.0, 0.1
LEARNING_RATE, MOMENTUM = 0.05, 0.9
CLASSES = 10
PEAKED = 30.0  # makes an untrained teacher's logits spread over several units, as a trained one's
MEANS = {"mlp": (0.1307,), "resnet": (0.4914, 0.4822, 0.4465)}
DEVIATIONS = {"mlp": (0.3081,), "resnet": (0.247, 0.2435, 0.2616)}
SHAPES = {"mlp": (1, 28, 28), "resnet": (3, 32, 32)}


@dataclass(frozen=True)
class Work:
    """What a contender is given. The models take normalised inputs; `images` are raw."""

    images: Tensor  # [n, channels, height, width] uint8
    labels: Tensor  # [n] int64
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    teachers: tuple[nn.Module, ...]  # frozen, in eval mode
    student: nn.Module
    epochs: int
    precision: str  # fp32 | bf16

    def less(self, images: int, epochs: int) -> "Work":
        """The same models on fewer images, for fewer epochs."""
        labels = self.labels[:images]
        return replace(self, images=self.images[:images], labels=labels, epochs=epochs)


class PerImage(Dataset[tuple[Tensor, int]]):
    """The usual data set: each image from bytes through PIL, ToTensor and Normalize."""

    def __init__(self, work: Work) -> None:
        pixels = work.images.permute(0, 2, 3, 1).numpy()
        self.pixels = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
        self.labels = work.labels.tolist()
        self.transform = Compose([ToTensor(), Normalize(work.mean, work.deviation)])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.pixels[row])), self.labels[row]


class InPrecision(nn.Module):
    """A model whose forward pass runs in the precision, and whose logits are fp32."""

    def __init__(self, model: nn.Module, precision: str) -> None:
        super().__init__()
        self.model, self.mixed = model, precision == "bf16"

    def forward(self, inputs: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.mixed):
            logits: Tensor = self.model(inputs)
        return logits.float()


class MeanLogits(nn.Module):
    """Several teachers as one, for peers that know only one."""

    def __init__(self, members: tuple[nn.Module, ...]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.stack([member(inputs) for member in self.members]).mean(dim=0)


def one_teacher(work: Work) -> nn.Module:
    """The teachers as one module that answers in the precision."""
    members = tuple(InPrecision(teacher, work.precision) for teacher in work.teachers)
    return members[0] if len(members) == 1 else MeanLogits(members)


def make_work(case: Case, seed: int) -> Work:
    """Images are ten prototypes under noise, labelled by prototype; all weights from `seed`."""
    kind = case.student[0]
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (case.images,), generator=generator)
    prototypes = _bytes(CLASSES, kind, generator) // 4
    images = _bytes(case.images, kind, generator).floor_divide_(4).mul_(3).add_(prototypes[labels])
    torch.manual_seed(seed)
    teachers = tuple(_teacher(*case.teacher) for _ in range(case.members))
    student = _network(*case.student)
    mean, deviation = MEANS[kind], DEVIATIONS[kind]
    return Work(images, labels, mean, deviation, teachers, student, case.epochs, case.precision)


def objective(student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
    """T^2 KL(teacher || student) at temperature T + hard weight * CE, the mean of the batch."""
    log_q = F.log_softmax(student / TEMPERATURE, dim=1)
    p = F.softmax(teacher / TEMPERATURE, dim=1)
    soft = TEMPERATURE**2 * F.kl_div(log_q, p, reduction="batchmean")
    return soft + HARD_WEIGHT * F.cross_entropy(student, labels)


def sgd(student: nn.Module) -> torch.optim.Optimizer:
    """The optimizer of every contender."""
    return torch.optim.SGD(student.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)


@torch.no_grad()
def final_loss(work: Work) -> float:
    """The objective over all images in fp32: evidence that contenders did the same work."""
    shape = (-1, 1, 1)
    mean, deviation = torch.tensor(work.mean).view(shape), torch.tensor(work.deviation).view(shape)
    student, total = work.student.eval(), 0.0
    for rows in torch.arange(len(work.labels)).split(512):
        inputs = (work.images[rows] / 255 - mean) / deviation
        taught = MeanLogits(work.teachers)(inputs)
        total += float(objective(student(inputs), taught, work.labels[rows])) * len(rows)
    return total / len(work.labels)


def _bytes(count: int, kind: str, generator: torch.Generator) -> Tensor:
    return torch.randint(256, (count, *SHAPES[kind]), dtype=torch.uint8, generator=generator)


def _network(kind: str, size: int) -> nn.Module:
    if kind == "mlp":
        return MLP([size, size], SHAPES[kind], CLASSES)
    return ResNet(size, SHAPES[kind], CLASSES)


def _teacher(kind: str, size: int) -> nn.Module:
    network = _network(kind, size)
    with torch.no_grad():
        network.output.weight.mul_(PEAKED)
    return network.requires_grad_(False).eval()
