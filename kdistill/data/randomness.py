"""Random numbers counted, not drawn: a sample's depend on its key alone, never on its batch.

SplitMix64 (Steele, Lea, Flood 2014) in wrapping int64 arithmetic: the same words on every device.
"""

import math
import zlib

import torch
from torch import Tensor

_GAMMA = -0x61C8864680B583EB  # 0x9E3779B97F4A7C15, the golden ratio, as a signed number


def sample_keys(seed: int, epoch: int, index: Tensor, view: int = 0) -> Tensor:
    """Keys [n] int64 of the samples `index` [n] int64; `view` tells apart several looks at one."""
    root = _mix(_word(seed))
    root = _mix(root + _word(epoch))
    root = _mix(root + _word(view))
    return _mix(root + (index + 1) * _GAMMA)


def purpose_of(name: str) -> int:
    """The number of whatever draws: 32 bits of its name, so that no two share a sequence."""
    return zlib.crc32(name.encode())


def derived(seed: int, name: str) -> int:
    """A seed in [0, 2^63) for one purpose of a run, unlike those of its other purposes."""
    key = sample_keys(seed, 0, torch.zeros(1, dtype=torch.int64), purpose_of(name))
    return int(key) & (2**63 - 1)


def uniform(key: Tensor, count: int, purpose: int) -> Tensor:
    """Float32 [n, count] in [0, 1), multiples of 2^-24, from `key` [n] for `purpose` < 2^32."""
    counter = torch.arange(1, count + 1, device=key.device) + _word(purpose << 32)
    words = _mix(_mix(key)[:, None] + counter * _GAMMA)
    return _shifted_right(words, 40).float() * 2.0**-24


def normal(key: Tensor, count: int, purpose: int) -> Tensor:
    """Float32 [n, count] standard normal, |value| < 5.8 (Box and Muller 1958)."""
    pairs = (count + 1) // 2
    radius_draw, angle_draw = uniform(key, 2 * pairs, purpose).chunk(2, dim=1)
    radius = (-2 * torch.log1p(-radius_draw)).sqrt()
    angle = 2 * math.pi * angle_draw
    return torch.cat([radius * angle.cos(), radius * angle.sin()], dim=1)[:, :count]


def _word(value: int) -> int:
    """The low 64 bits of `value` as a signed number."""
    return (value + 2**63) % 2**64 - 2**63


def _mix(word: Tensor | int) -> Tensor:
    word = torch.as_tensor(word)
    word = (word ^ _shifted_right(word, 30)) * -0x40A7B892E31B1A47  # 0xBF58476D1CE4E5B9
    word = (word ^ _shifted_right(word, 27)) * -0x6B2FB644ECCEEE15  # 0x94D049BB133111EB
    return word ^ _shifted_right(word, 31)


def _shifted_right(word: Tensor, bits: int) -> Tensor:
    return (word >> bits) & ((1 << (64 - bits)) - 1)  # int64 shifts copy the sign: mask it off
