"""What the check before a picture is kept takes and refuses. (bench/faults.py runs all of them.)"""

import itertools

import faults
import pytest
from PIL import Image

from mapmaker.scrape.check import NotGood, picture_facts


def test_good_files_of_every_form_pass(tmp_path):
    """CMYK, progressive, 16 bit, palette, one bit, packed, animated: none is refused."""
    refused = {
        name: why for name, data in faults.good(2 * len(faults.FORMS))
        if (why := faults.accepted(tmp_path / "x", data))
    }  # fmt: skip

    assert refused == {}


@pytest.mark.parametrize("part", range(4))
def test_planted_faults_are_refused(tmp_path, part):
    """A seventh of them here, of every form: cut, glued, holed, closed too early, no picture."""
    planted = list(itertools.islice(faults.broken(), part, None, 28))

    taken = [name for name, data in planted if faults.accepted(tmp_path / "x", data) is None]

    assert len(planted) >= 20 and taken == []


@pytest.mark.parametrize("name", ["a PNG of 900 million pixels", "a PNG with 8 rows of 20,000",
                                  "a page", "a stub below 500 bytes", "nothing"])  # fmt: skip
def test_the_reason_is_told(tmp_path, name):
    """The list of gaps says what was wrong."""
    wanted = {"a PNG of 900 million pixels": "too-many-pixels", "a page": "not-a-picture",
              "a PNG with 8 rows of 20,000": "corrupt", "a stub below 500 bytes": "stub",
              "nothing": "not-a-picture"}  # fmt: skip
    data = dict(faults._no_pictures())[name]

    assert faults.accepted(tmp_path / "x", data) == wanted[name]


def test_a_last_row_of_the_colour_we_look_for_is_no_fault(tmp_path):
    """A JPEG is watched by a colour painted where its last row will be; a flat one may have it."""
    from mapmaker.scrape.check import _SENTINELS

    for first in _SENTINELS:
        Image.new("L", (400, 400), first[0]).save(
            tmp_path / "x.jpg", quality=95, comment=b"c" * 600
        )

        assert picture_facts(tmp_path / "x.jpg")["format"] == "JPEG"


def test_a_few_bytes_behind_the_end_are_forgiven_and_a_page_is_not(tmp_path):
    """Old servers add a line; an error page behind half a picture is another thing."""
    data = faults.encoded(3, (200, 200), "JPEG", "RGB", {})
    path = tmp_path / "x.jpg"
    path.write_bytes(data + b"\r\n" + bytes(100))
    assert picture_facts(path)["width"] == 200

    path.write_bytes(data + b"<HTML>busy</HTML>")

    with pytest.raises(NotGood):
        picture_facts(path)
