"""Run every experiment with a tiny budget, without a download: python scripts/smoke.py."""

import sys
import tempfile
from pathlib import Path

from kdistill.cli import main

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
TINY = ["dataset=digits", "measure=classification"]
TINY += ["fit.epochs=2", "teacher.fit.epochs=2", "cache=false"]


def smoke() -> int:
    """0 when every experiment ran through."""
    codes = {}
    with tempfile.TemporaryDirectory() as folder:
        for file in sorted((CONFIGS / "experiment").glob("*.yaml")):
            run = f"hydra.run.dir={folder}/{file.stem}"
            codes[file.stem] = main(["train", f"+experiment={file.stem}", *TINY, run])
    for name, code in codes.items():
        print(f"{name}: {'ran' if code == 0 else f'exit code {code}'}")
    return max(codes.values(), default=0)


if __name__ == "__main__":
    sys.exit(smoke())
