"""Between bytes and numbers, and the sheet of pictures."""

import numpy as np
import pytest
import torch
from PIL import Image

from mapmaker.errors import NotFinite
from mapmaker.shards.scale import to_picture, to_tensor
from mapmaker.sheet import sheet


def test_round_trip():
    """Every value from 0 to 255 comes back from [-1, 1] as it was, in its place."""
    pixels = np.arange(256 * 3, dtype=np.uint16).reshape(16, 16, 3).astype(np.uint8)

    scaled = to_tensor(pixels[None])
    back = np.asarray(to_picture(scaled[0]))

    assert scaled.shape == (1, 3, 16, 16)
    assert (scaled.min(), scaled.max()) == (-1, 1)
    assert np.array_equal(back, pixels)


def test_values_outside_are_clipped():
    """A net that overshoots gives white and black, not wrapped colours."""
    loud = torch.tensor([3.0, -3.0, 0.0]).reshape(3, 1, 1)

    assert to_picture(loud).getpixel((0, 0)) == (255, 0, 128)


def test_a_diverged_net_is_an_error():
    """Not-a-number never becomes a black picture."""
    with pytest.raises(NotFinite, match="diverged"):
        to_picture(torch.full((3, 4, 4), float("nan")))


def test_a_tensor_keeps_its_device():
    """A resident data set is scaled where it is, and is channels last."""
    scaled = to_tensor(torch.zeros((2, 8, 8, 3), dtype=torch.uint8))

    assert scaled.is_contiguous(memory_format=torch.channels_last)
    assert scaled.device.type == "cpu"


def test_sheet_lays_pictures_out_in_rows():
    """Five pictures in three columns make two rows, each picture whole in its cell."""
    colours = ["red", "lime", "blue", "white", "yellow"]
    images = [Image.new("RGB", (30, 15), c) for c in colours]

    page = sheet(images, columns=3, cell_px=30, labels=["one", "a label far too long", "x"])

    assert page.size == (3 * 34 + 4, 2 * 50 + 4)
    assert [page.getpixel((4 + 34 * i + 15, 4 + 15)) for i in range(3)] == [
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
    ]
    assert page.getpixel((4 + 34 + 15, 54 + 15)) == (255, 255, 0)
