"""The peers our benches drive: steps, samples and sizes. (bench/peers.py tries lightweight-gan.)"""

import fastgan
import pytest
import torch
from peers import FastGan, Peer

from mapmaker.errors import BadConfig

CPU = torch.device("cpu")


@pytest.mark.parametrize("size", [32, 64])
def test_a_fastgan_step_trains_both_nets_and_samples(size: int) -> None:
    """One step moves every weight that has a say; samples are pictures of the size."""
    torch.manual_seed(0)
    peer = FastGan(size, CPU, 8, 8, batch=4)
    before = [p.detach().clone() for net in (peer.g, peer.d) for p in net.parameters()]

    figures = peer.step(torch.rand(4, 3, size, size) * 2 - 1)

    after = [p for net in (peer.g, peer.d) for p in net.parameters()]
    moved = [not torch.equal(a, b) for a, b in zip(after, before, strict=True)]
    assert all(moved)
    assert all(value.isfinite() for value in figures.values())
    peer.ready()
    drawn = peer.pictures(torch.randn(2, fastgan.LATENT))
    assert drawn.shape == (2, 3, size, size) and drawn.abs().max() <= 1


def test_a_peer_steps_and_samples_the_same_for_the_same_seeds() -> None:
    """Losses are floats; samples are uint8, follow from the seed, and leave the training alone."""
    reals = torch.rand(1, 3, 32, 32) * 2 - 1

    one, two = (Peer("fastgan-32", 32, 1, "cpu", seed=3) for _ in range(2))
    torch.manual_seed(0)
    first = one.step(reals)
    drawn = one.sample(3, seed=5)
    torch.manual_seed(0)
    second = two.step(reals)

    assert first == second and set(first) == {"loss_d", "loss_g", "recall"}
    assert drawn.shape == (3, 32, 32, 3) and drawn.dtype == "uint8"
    assert (drawn == one.sample(3, seed=5)).all() and (drawn == two.sample(3, seed=5)).all()
    assert (drawn != one.sample(3, seed=6)).any()


def test_the_fastgan_shape_has_the_published_weights() -> None:
    """At 1024 px and ngf 64: 29.18 M weights in G, 11.5 M in D, as in the original."""
    with torch.device("meta"):
        g, d = fastgan.Generator(1024, 64), fastgan.Discriminator(1024, 64)

    assert sum(p.numel() for p in g.parameters()) / 1e6 == pytest.approx(29.18, abs=0.005)
    assert sum(p.numel() for p in d.parameters()) / 1e6 == pytest.approx(11.5, abs=0.1)


@pytest.mark.parametrize(("size", "canvas"), [(750, 768), (128, 128), (100, 112), (32, 32)])
def test_a_fastgan_canvas_holds_the_picture(size: int, canvas: int) -> None:
    """750 is cut from 768; powers of two are their own canvas."""
    base, k = fastgan.ladder(size)

    assert base << k == canvas


@pytest.mark.parametrize(("name", "size"), [("stylegan", 64), ("lightweight-gan", 750)])
def test_a_peer_says_what_it_cannot_do(name: str, size: int) -> None:
    """An unknown name, or a size the project refuses, is one clear line."""
    with pytest.raises(BadConfig) as caught:
        Peer(name, size, 4, "cpu")

    assert name in str(caught.value) and caught.value.hint
