"""For all tests: short timings, the same precision everywhere; recordings as spoken digits are."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session", autouse=True)
def _same_everywhere() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kdistill.measures.cost.SECONDS", 0.01)
        # some CPUs have bf16, which precision=auto would take
        patch.setattr("kdistill.engine.process._native_bf16", lambda _: False)
        yield


@pytest.fixture
def write_clone() -> Callable[[Path], list[str]]:
    """Writes 40 training and 20 test recordings and names them.

    Each digit is a tone that glides between two pitches of its own.
    """

    import soundfile

    def write(root: Path) -> list[str]:
        (root / "recordings").mkdir(parents=True)
        noise, names = np.random.default_rng(0), []
        for digit in range(10):
            for place, speaker in enumerate(("ann", "bob")):
                for number in (0, 5, 6):
                    time = np.arange(400 + 80 * digit + 40 * number + 100 * place) / 8000
                    share, begin, end = time / time[-1], digit, (3 * digit + 5) % 10
                    hertz = 300 + 330 * (begin + (end - begin) * share)
                    tone = 0.3 * np.sin(2 * np.pi * np.cumsum(hertz) / 8000)
                    names.append(f"{digit}_{speaker}_{number}.wav")
                    sound = tone + 0.03 * noise.normal(size=len(time))
                    soundfile.write(root / "recordings" / names[-1], sound, 8000)
        return names

    return write
