"""Tiny recordings in the layout of the spoken digits."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def write_clone() -> Callable[[Path], list[str]]:
    """Writes 40 training and 20 test recordings and names them.

    They are swelling tones, higher for higher digits.
    """

    import soundfile

    def write(root: Path) -> list[str]:
        (root / "recordings").mkdir(parents=True)
        noise, names = np.random.default_rng(0), []
        for digit in range(10):
            for place, speaker in enumerate(("ann", "bob")):
                for number in (0, 5, 6):
                    time = np.arange(400 + 80 * digit + 40 * number + 100 * place) / 8000
                    swell = np.sin(np.pi * time / time[-1]) ** 2
                    tone = 0.3 * swell * np.sin(2 * np.pi * (300 + 300 * digit) * time)
                    names.append(f"{digit}_{speaker}_{number}.wav")
                    sound = tone + 0.01 * noise.normal(size=len(time))
                    soundfile.write(root / "recordings" / names[-1], sound, 8000)
        return names

    return write
