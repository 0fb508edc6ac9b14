"""`kdistill sample RUN FILE`: exact samples of a run's student, where that is a density."""

from pathlib import Path

from kdistill.cli._arguments import Parser
from kdistill.printable import printable

AT_ONCE = 10_000  # samples, which bounds the memory that the hidden layers take


def main(argv: list[str]) -> int:
    """Write `inputs` [count, *input] uint8 for transfer=unlabelled: 0 and 255, or grey."""
    parser = Parser("sample")
    parser.add_argument("run", type=Path, help="folder of a finished run: runs/NAME/TIME")
    parser.add_argument("file", type=Path, help="a .safetensors file to be written")
    parser.add_argument("--count", type=int, default=10_000, help="how many (default: 10000)")
    parser.add_argument("--seed", type=int, default=0, help="draws them (default: 0)")
    parser.add_argument(
        "--grey", action="store_true", help="the chance of each bit given those before it, instead"
    )
    args = parser.parse_args(argv)

    import torch

    from kdistill.artifacts.files import write_tensors
    from kdistill.errors import UserError
    from kdistill.library import load
    from kdistill.models.abilities import Chances, Samples
    from kdistill.models.network import inner

    if args.count < 1:
        raise UserError(f"--count must be >= 1, got {args.count}")
    if not 0 <= args.seed < 2**63:
        raise UserError(f"--seed must be from 0 to 2^63 - 1, got {args.seed}")
    if args.file.suffix != ".safetensors":
        raise UserError(f"{args.file}: must end in .safetensors")
    if args.file.parent.resolve() == args.run.resolve():
        raise UserError(f"{args.file}: the files of that folder are the run's; name another place")
    model, generator = inner(load(args.run).student), torch.Generator().manual_seed(args.seed)
    if not isinstance(model, Samples):
        raise UserError(f"{args.run}: its student is no density, and cannot be sampled")
    if args.grey and not isinstance(model, Chances):
        raise UserError(f"--grey: a {type(model).__name__} has no order of its bits; leave it out")
    drawn = []
    for first in range(0, args.count, AT_ONCE):
        part = model.sample(min(AT_ONCE, args.count - first), generator)
        grey = model.chances(part) if isinstance(model, Chances) and args.grey else part
        drawn.append((grey * 255).round().to(torch.uint8))
    write_tensors(args.file, {"inputs": torch.cat(drawn)})
    print(f"{args.count} samples: {printable(args.file)}")
    return 0
