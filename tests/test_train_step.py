"""One training step: who moves, what is seen together, and that learning happens."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from train_tools import BATCH, SIZE, packed, pictures, small_state, workspace  # noqa: F401

from mapmaker.train.chance import LATENTS, Dice, chance
from mapmaker.train.check import check_step
from mapmaker.train.data import Pictures, orient
from mapmaker.train.recipes import NOTES, RECOMMENDED, Recipe
from mapmaker.train.step import (
    Pace,
    average,
    fake_loss,
    frozen,
    generator_loss,
    margins,
    real_loss,
    train_step,
)

PACE = Pace(micro_batch=BATCH, accumulate=1, precision="fp32")


def weights(net: nn.Module) -> list[Tensor]:
    """Return copies of a net's weights."""
    return [p.detach().clone() for p in net.parameters()]


def moved(before: list[Tensor], net: nn.Module) -> list[bool]:
    """Return for each weight whether it differs from `before`."""
    return [not torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True)]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_discriminator_is_still_while_the_generator_trains(
    pictures: Pictures,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    accumulate: int,
) -> None:
    """From the discriminator's own update to the end of the step its weights do not move.

    No gradient reaches them either, while every weight of the generator gets one.
    """
    state = small_state()
    judge, maker = state.nets.discriminator, state.nets.generator
    after_own_update: list[list[Tensor]] = []
    update = state.adam_d.step

    def update_and_note() -> None:
        update()
        state.adam_d.zero_grad(set_to_none=True)
        after_own_update.append(weights(judge))

    monkeypatch.setattr(state.adam_d, "step", update_and_note)
    before, before_g = weights(judge), weights(maker)

    train_step(state, pictures, RECOMMENDED, Pace(BATCH, accumulate, "fp32"), seed=0, progress=0.0)

    assert any(moved(before, judge)) and all(moved(before_g, maker))
    assert not any(moved(after_own_update[0], judge))
    assert all(p.grad is None for p in judge.parameters())
    assert all(p.grad is not None for p in maker.parameters())
    assert all(p.requires_grad for p in judge.parameters())


def test_generator_is_still_while_the_discriminator_trains(
    pictures: Pictures,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When the discriminator updates, the generator has neither moved nor got a gradient."""
    state = small_state()
    before, found = weights(state.nets.generator), []
    update = state.adam_d.step

    def note_and_update() -> None:
        found.extend(moved(before, state.nets.generator))
        found.extend(p.grad is not None for p in state.nets.generator.parameters())
        update()

    monkeypatch.setattr(state.adam_d, "step", note_and_update)

    train_step(state, pictures, NOTES, PACE, seed=0, progress=0.0)

    assert found and not any(found)


def test_real_and_generated_never_share_a_batch(pictures: Pictures) -> None:  # noqa: F811
    """Each batch the discriminator sees is one micro-batch, all real or all generated."""
    state = small_state()
    seen: list[Tensor] = []
    state.nets.discriminator.register_forward_pre_hook(lambda net, x: seen.append(x[0].detach()))
    recipe = replace(NOTES, options={})

    train_step(state, pictures, recipe, Pace(2, 2, "fp32"), seed=0, progress=0.0)

    reals = [pictures.batch(0, 2), pictures.batch(2, 2)]
    assert [len(x) for x in seen] == [2] * 6
    assert torch.equal(seen[0], reals[0]) and torch.equal(seen[2], reals[1])
    for fakes in (seen[1], seen[3], seen[4], seen[5]):
        assert not any(torch.equal(a, b) for a in fakes for b in torch.cat(reals))


def test_frozen_gives_gradients_back() -> None:
    """Inside the block a net's weights ask for no gradient, after it they do, errors included."""
    net = nn.Linear(2, 2)

    with pytest.raises(KeyError), frozen(net):
        assert not any(p.requires_grad for p in net.parameters())
        raise KeyError

    assert all(p.requires_grad for p in net.parameters())


@pytest.mark.parametrize("recipe", [NOTES, RECOMMENDED], ids=["notes", "recommended"])
def test_discriminator_learns_to_tell(pictures: Pictures, recipe: Recipe) -> None:  # noqa: F811
    """Against a generator that stands still, the discriminator's loss falls within sixty steps."""
    # At 32 px the last map is one pixel, and batch norm over one pixel hides what it should tell.
    recipe = replace(recipe, lr_d=5e-3, options={**recipe.options, "normalise_d": "spectral"})
    state = small_state(recipe)
    for group in state.adam_g.param_groups:
        group["lr"] = 0.0

    losses = [
        float(train_step(state, pictures, recipe, PACE, seed=0, progress=0.0)["loss_d"])
        for _ in range(60)
    ]

    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def test_losses_are_the_papers() -> None:
    """BCE pulls real logits towards 0.9 and generated ones to 0; hinge stops at its margin."""
    logits = torch.tensor([[0.5], [-2.0], [3.0]])
    p = torch.sigmoid(logits)
    hinge = Recipe(loss="hinge", margin=1.0)

    assert real_loss(logits, NOTES) == pytest.approx(
        float(-(0.9 * p.log() + 0.1 * (1 - p).log()).mean()), rel=1e-5
    )
    assert fake_loss(logits, NOTES) == pytest.approx(float(-(1 - p).log().mean()), rel=1e-5)
    assert generator_loss(logits, NOTES) == pytest.approx(float(-p.log().mean()), rel=1e-5)
    assert real_loss(logits, hinge) == pytest.approx((0.5 + 3.0 + 0.0) / 3)
    assert fake_loss(logits, hinge) == pytest.approx((1.5 + 0.0 + 4.0) / 3)
    assert generator_loss(logits, hinge) == pytest.approx(-0.5)


def test_margin_is_drawn_between_its_bounds() -> None:
    """The random margin of a hinge lies between the recipe's margin and 1."""
    recipe, zeros = Recipe(loss="hinge", margin=0.8), torch.zeros(2, 1)

    losses = []
    for step in range(200):
        dice = Dice(seed=0, step=step, attempt=0, whole=2)
        dice.torch(LATENTS)
        margin = margins(zeros[:1], recipe, dice, slice(1, 2))
        losses.append(float(real_loss(zeros[:1], recipe, margin)))

    assert 0.8 <= min(losses) < 0.85 and 0.95 < max(losses) <= 1.0


def test_average_follows_slowly() -> None:
    """The averaged weights move by 1 - decay a step, and faster in the first steps."""
    net, late = nn.Linear(3, 3), nn.Linear(3, 3)
    early = copy.deepcopy(late)
    start = late.weight.detach().clone()

    average(late, net, 0.9, step=1000)
    average(early, net, 0.9, step=0)

    torch.testing.assert_close(late.weight, start.lerp(net.weight, 0.1))
    torch.testing.assert_close(early.weight, start.lerp(net.weight, 0.9))


def test_bf16_trains_the_same_way(pictures: Pictures) -> None:  # noqa: F811
    """In bf16 the first step's losses are those of fp32 within a few percent; weights stay fp32."""
    figures = {}
    for precision in ("fp32", "bf16"):
        state = small_state()
        pace = replace(PACE, precision=precision)
        figures[precision] = train_step(state, pictures, RECOMMENDED, pace, seed=0, progress=0.0)

        assert {p.dtype for p in state.nets.generator.parameters()} == {torch.float32}

    loss = {k: float(v["loss_d"]) for k, v in figures.items()}
    assert loss["bf16"] == pytest.approx(loss["fp32"], rel=0.05)


def test_stream_is_every_picture_once_an_epoch(pictures: Pictures) -> None:  # noqa: F811
    """Each epoch shows every training picture once, in another order, whatever the batches."""
    pictures.symmetries = False
    n = len(pictures)
    first, second = pictures.batch(0, n), pictures.batch(n, n)
    pieces = torch.cat([pictures.batch(p, 1) for p in range(n)])

    def names(batch: Tensor) -> list[bytes]:
        return [x.numpy().tobytes() for x in batch]

    assert names(pieces) == names(first) != names(second)
    assert sorted(names(first)) == sorted(names(second))


def test_resident_and_streamed_pictures_are_the_same(workspace) -> None:  # noqa: F811
    """Pictures held in memory and pictures read from the shards give the same batches."""
    from mapmaker.shards.reader import open_shards

    shards = open_shards(workspace.dataset("maps").shards(SIZE))
    kinds = [
        Pictures(shards, device=torch.device("cpu"), seed=3, resident=r, symmetries=True)
        for r in (True, False)
    ]

    batches = [kind.batch(5, 7) for kind in kinds]

    assert torch.equal(*batches)
    assert batches[0].shape == (7, 3, SIZE, SIZE)
    assert batches[0].is_contiguous()
    assert float(batches[0].min()) >= -1 and float(batches[0].max()) <= 1


def test_writing_is_shown_upright_alone(workspace) -> None:  # noqa: F811
    """Of samples marked upright every batch has the stored pixels, of others all symmetries."""
    from mapmaker.shards.reader import open_shards

    shards = open_shards(workspace.dataset("maps").shards(SIZE))
    marks = np.ones(len(shards), np.uint8)
    plain, upright = (
        Pictures(
            shards, device=torch.device("cpu"), seed=3, resident=True, symmetries=s, upright=marks
        )
        for s in (False, True)
    )

    assert torch.equal(plain.batch(0, 9), upright.batch(0, 9))
    marks[:] = 0
    assert not torch.equal(plain.batch(0, 9), upright.batch(0, 9))


def test_orient_gives_the_eight_symmetries() -> None:
    """The eight numbers give eight different pictures, each a turn or mirror of the one."""
    image = torch.arange(27, dtype=torch.uint8).view(1, 3, 3, 3)
    every = orient(image.expand(8, -1, -1, -1), np.arange(8))

    turned = [np.rot90(image[0].numpy(), k) for k in range(4)]
    wanted = {x.tobytes() for t in turned for x in (t, t[:, ::-1])}
    assert {x.numpy().tobytes() for x in every} == wanted and len(wanted) == 8


def test_chance_is_a_counter() -> None:
    """A step's random numbers follow from seed, step and part, and from nothing drawn before."""
    draw = [chance(*key).integers(2**60) for key in ((1, 2, 0), (1, 2, 0), (1, 3, 0), (1, 2, 1))]

    assert draw[0] == draw[1]
    assert len(set(draw)) == 3


def test_check_step_really_trains() -> None:
    """What doctor reports: a real step on the CPU moved both nets there."""
    found = check_step("cpu")

    assert found["ok"] and found["weights_on"] == ["cpu"]
    assert found["moved"] == {"generator": True, "discriminator": True}
    assert found["precision"] in ("bf16", "fp32")
