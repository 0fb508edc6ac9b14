"""Pixels: scaling, standardising, repeating and resizing, by hand-computed values."""

import pytest
import torch

from kdistill.models.preprocessing import Pixels


def test_uint8_is_scaled_and_floats_are_left_alone() -> None:
    raw = torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8)
    torch.testing.assert_close(Pixels()(raw), torch.tensor([[[[0.0, 0.2, 1.0]]]]))
    floats = torch.tensor([[-3.0, 400.0]])
    assert Pixels()(floats) is floats


def test_standardises_each_channel_with_its_own_mean_and_std() -> None:
    inputs = torch.tensor([[[[1.0]], [[1.0]], [[1.0]]]])
    found = Pixels(mean=[0.0, 0.5, 1.0], std=[1.0, 0.5, 2.0])(inputs)
    torch.testing.assert_close(found.flatten(), torch.tensor([1.0, 1.0, 0.0]))


def test_standardises_features_that_are_not_images() -> None:
    found = Pixels(mean=[1.0, 2.0], std=[1.0, 4.0])(torch.tensor([[2.0, 10.0]]))
    torch.testing.assert_close(found, torch.tensor([[1.0, 2.0]]))


def test_repeats_a_grey_channel_before_standardising() -> None:
    grey = torch.full((2, 1, 4, 4), 255, dtype=torch.uint8)
    found = Pixels(mean=[0.0, 0.5, 1.0], channels=3)(grey)
    assert found.shape == (2, 3, 4, 4)
    torch.testing.assert_close(found[0, :, 0, 0], torch.tensor([1.0, 0.5, 0.0]))


def test_resizing_keeps_a_ramp_linear_and_its_mean() -> None:
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    half = Pixels(size=4)(ramp)
    assert half.shape == (1, 1, 4, 4)
    torch.testing.assert_close(half.mean(), ramp.mean())
    # away from the borders, antialiased halving of a ramp gives the mean of each pair
    torch.testing.assert_close(half[0, 0, 0, 1:3], torch.tensor([2.5, 4.5]))
    assert Pixels(size=[8, 8])(ramp) is ramp


@pytest.mark.parametrize(
    ("pixels", "given"),
    [
        (Pixels(), (5,)),
        (Pixels(channels=3, size=[6, 4]), (1, 8, 8)),
        (Pixels(mean=[0.1, 0.2, 0.3], size=3), (3, 8, 8)),
    ],
)
def test_output_shape_is_the_shape_of_the_output(pixels: Pixels, given: tuple[int, ...]) -> None:
    assert pixels.output_shape(given) == tuple(pixels(torch.zeros(2, *given)).shape[1:])


def test_mean_and_std_travel_with_the_weights() -> None:
    saved = Pixels(mean=0.5, std=0.25).state_dict()
    fresh = Pixels(mean=0.1, std=0.2)
    fresh.load_state_dict(saved)
    torch.testing.assert_close(fresh(torch.tensor([[1.0]])), torch.tensor([[2.0]]))
    # an identity has nothing to put them in, and says so instead of ignoring them
    with pytest.raises(RuntimeError, match="Unexpected key"):
        Pixels().load_state_dict(saved)


@pytest.mark.parametrize(
    ("pixels", "given", "message"),
    [
        (Pixels(size=4), (5,), "size and channels need"),
        (Pixels(channels=3), (2, 8, 8), "channels must be null or 2"),
        (Pixels(mean=[0.1, 0.2, 0.3]), (1, 8, 8), "mean must be 1 number"),
    ],
)
def test_refuses_inputs_that_it_could_not_prepare(
    pixels: Pixels, given: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        pixels.output_shape(given)


def test_refuses_values_out_of_range() -> None:
    with pytest.raises(ValueError, match="std must be > 0"):
        Pixels(std=[1.0, 0.0])
    with pytest.raises(ValueError, match="channels must be >= 1"):
        Pixels(channels=0)
    with pytest.raises(ValueError, match="size must be"):
        Pixels(size=[28])
