"""Pictures: reads image files one by one, all to the same size."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from kdistill.errors import UserError


class Pictures:
    """A Reader of image files: each is scaled to cover `size`, and cut to it about the centre."""

    def __init__(self, files: list[Path], size: tuple[int, int], channels: int) -> None:
        self.files, self.size, self.channels = files, size, channels

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, row: int) -> Tensor:
        """Uint8 [channels, height, width]; UserError naming a file that is not a whole image."""
        height, width = self.size
        mode = "L" if self.channels == 1 else "RGB"
        try:
            with Image.open(self.files[row]) as file:
                upright = ImageOps.exif_transpose(file).convert(mode)
            fitted = ImageOps.fit(upright, (width, height), Image.Resampling.BILINEAR)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise UserError(f"{self.files[row]}: not a readable image ({error})") from None
        pixels = torch.from_numpy(np.array(fitted)).view(height, width, self.channels)
        return pixels.permute(2, 0, 1).contiguous()

    def all(self, threads: int) -> Tensor:
        """Every picture: uint8 [n, channels, height, width]."""
        inputs = torch.empty(len(self), self.channels, *self.size, dtype=torch.uint8)
        with ThreadPoolExecutor(max(threads, 1)) as pool:  # Pillow decodes outside the GIL
            for row, picture in enumerate(pool.map(self.__getitem__, range(len(self)))):
                inputs[row] = picture
        return inputs
