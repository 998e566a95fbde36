"""A config is a frozen dataclass, a TOML file and a set of flags at once."""

from dataclasses import dataclass

import pytest

from mapmaker.config import fingerprint, from_toml, opt, to_toml
from mapmaker.errors import BadConfig, UnsafeInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    side_px: int = opt(750, "Side.")
    name: str | None = opt(None, "Name.")
    weights: tuple[float, ...] = (1.0, 0.5)


def test_toml_round_trip(tmp_path):
    """What was saved is what is read, None and tuples included."""
    path = tmp_path / "config.toml"
    config = Example(side_px=64)

    path.write_text(to_toml(config))

    assert from_toml(Example, path) == config


def test_unknown_key_is_named(tmp_path):
    """A key the config lacks is a mistake that names itself and what there is."""
    path = tmp_path / "config.toml"
    path.write_text("sise = 3\n")

    with pytest.raises(BadConfig, match="sise") as caught:
        from_toml(Example, path)

    assert "side_px" in caught.value.hint


def test_broken_toml_is_unsafe_input(tmp_path):
    """A damaged config says which file it is."""
    path = tmp_path / "config.toml"
    path.write_text("= = =")

    with pytest.raises(UnsafeInput, match=r"config\.toml"):
        from_toml(Example, path)


def test_fingerprint_follows_the_values():
    """Equal values, equal fingerprint; another value, another."""
    assert fingerprint(Example()) == fingerprint(Example())
    assert fingerprint(Example()) != fingerprint(Example(side_px=64))
