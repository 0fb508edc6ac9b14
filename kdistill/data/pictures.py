"""Pictures: reads image files one by one, all to the same size."""

import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from kdistill.artifacts.regular import open_regular
from kdistill.errors import UserError

# whose readers are Pillow's own; that of PostScript starts a program, whatever a file is called
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
PIXELS = 90_000_000  # of a picture: about a gigabyte while it is scaled
_BYTES = 8 * PIXELS  # of a file: 16 bits of four channels, not packed
# what Pillow raises over bad content
_DAMAGE = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError),
    *(RuntimeError, AssertionError, EOFError, MemoryError, struct.error, zlib.error),
    *(Warning, Image.DecompressionBombError),
)
warnings.filterwarnings("ignore", module="PIL")  # of oddities that many photographs have


class Pictures:
    """A Reader of image files: each is scaled to cover `size`, and cut to it about the centre."""

    def __init__(self, files: list[Path], size: tuple[int, int], channels: int) -> None:
        self.files, self.size, self.channels = files, size, channels

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, row: int) -> Tensor:
        """Uint8 [channels, height, width]; UserError naming a file that is not a whole image."""
        height, width = self.size
        path = self.files[row]
        with open_regular(path) as opened:
            try:
                upright = self._upright(opened)
                fitted = ImageOps.fit(upright, (width, height), Image.Resampling.BILINEAR)
            except _DAMAGE as error:
                said = " ".join(str(error).split())[:200] or type(error).__name__
                raise UserError(f"{path}: not a readable image ({said})") from None
        pixels = torch.from_numpy(np.array(fitted)).view(height, width, self.channels)
        return pixels.permute(2, 0, 1).contiguous()

    def _upright(self, opened: BinaryIO) -> Image.Image:
        if opened.seek(0, 2) > _BYTES:
            raise ValueError(f"its file is larger than {_BYTES >> 20} MB")
        with Image.open(opened, formats=FORMATS) as file:
            if file.width * file.height > PIXELS:
                raise ValueError(f"{file.width} x {file.height} pixels, more than {PIXELS}")
            turned = ImageOps.exif_transpose(file)
            if "transparency" in turned.info:
                turned = turned.convert("RGBA")  # else Pillow remarks on palettes that have it
            return turned.convert("L" if self.channels == 1 else "RGB")

    def all(self, threads: int) -> Tensor:
        """Every picture: uint8 [n, channels, height, width]."""
        inputs = torch.empty(len(self), self.channels, *self.size, dtype=torch.uint8)
        with ThreadPoolExecutor(max(threads, 1)) as pool:  # Pillow decodes outside the GIL
            for row, picture in enumerate(pool.map(self.__getitem__, range(len(self)))):
                inputs[row] = picture
        return inputs
