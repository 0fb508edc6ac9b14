"""Pictures as bits: the chance of a one is the grey level, and nothing else moves it."""

import pytest
import torch

from kdistill.data.binarised import Binarised
from kdistill.data.digits import Digits
from kdistill.data.spec import Array
from kdistill.data.tensors import from_tensors
from kdistill.errors import UserError

WHOLE = Digits(validation=200, split_seed=0)


@pytest.mark.parametrize("how", ["random", "threshold"])
def test_every_part_is_bits_of_the_same_pictures(how: str) -> None:
    made, whole, plan = Binarised(WHOLE, how).load(), WHOLE.load(), Binarised(WHOLE, how).plan()
    assert made.classes == plan.classes == ()
    assert made.inputs == plan.inputs == Array((1, 8, 8), torch.uint8, below=2)
    for part in ("train", "validation", "test"):
        bits, grey = getattr(made, part), getattr(whole, part)
        assert bits.targets is None
        assert set(bits.inputs.unique().tolist()) == {0, 255}
        assert torch.equal(bits.index, grey.index)
        assert len(bits) == getattr(plan, part)
        assert (bits.inputs[grey.inputs == 0] == 0).all()
        if how == "threshold":
            assert torch.equal(bits.inputs == 255, grey.inputs > 127)
        else:
            assert (bits.inputs[grey.inputs == 255] == 255).all()


def test_the_share_of_ones_is_the_grey_level() -> None:
    made, whole = Binarised(WHOLE).load().train, WHOLE.load().train
    for level in (64, 128, 191):
        ones = made.inputs[whole.inputs == level] == 255
        expected, error = level / 255, 4 * (0.25 / len(ones)) ** 0.5
        assert abs(float(ones.float().mean()) - expected) < error


def test_bits_depend_on_the_seed_alone() -> None:
    first, again, other = (Binarised(WHOLE, seed=seed).load() for seed in (0, 0, 1))
    assert torch.equal(first.train.inputs, again.train.inputs)
    assert not torch.equal(first.train.inputs, other.train.inputs)
    assert first.fingerprint == again.fingerprint != other.fingerprint
    # the same picture held out or not has the same bits
    held, kept = Binarised(WHOLE).load().validation, Binarised(Digits(0, 0)).load().train
    assert torch.equal(kept.inputs[held.index], held.inputs)


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="how must be random or threshold, got grey"):
        Binarised(WHOLE, "grey")

    class Floats:
        def load(self) -> object:
            pair = torch.rand(4, 3), torch.zeros(4, dtype=torch.int64)
            return from_tensors(pair, pair, None, 2, "floats")

    with pytest.raises(UserError, match="only pictures in memory"):
        Binarised(Floats()).load()
