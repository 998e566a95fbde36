"""What each process does in tests/test_team.py: twenty steps on its share of the same batch.

    torchrun tests/team_work.py HOME OUT NORM...

Leaves OUT/NORM.<rank>.safetensors with every weight and buffer after the last step.
"""

import copy
import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from mapmaker.shards.reader import open_shards
from mapmaker.train.data import Pictures
from mapmaker.train.device import set_up
from mapmaker.train.recipes import RECOMMENDED
from mapmaker.train.state import State, model_tensors, new_state
from mapmaker.train.step import Pace, train_step
from mapmaker.train.team import Team, joined
from mapmaker.workspace import Workspace

STEPS = 20
# Without the norm after the latent, whose bias no gradient but rounding would move.
SMALL = {
    "channels": 8,
    "channels2": 8,
    "d_depth": 3,
    "latent": "spatial",
    "latent_norm": False,
}


def trained(home: Path, pace: Pace, norm: str, team: Team) -> State:
    """Return a small net after twenty steps. norm: of the discriminator; "none" of either net."""
    cpu = torch.device("cpu")
    recipe = replace(
        RECOMMENDED, options={**RECOMMENDED.options, **SMALL, "normalise_d": norm}, lecam=0.3
    )
    # Augmentation in full force: as they are, these pictures have areas of one colour, whose
    # activations pass a kink of the net all at once and make much of a rounding.
    recipe = replace(recipe, lecam_after=5, ease=0.0)
    state = new_state("dcgan", 32, recipe, cpu, seed=0)
    torch.manual_seed(0)
    for net in (state.nets.generator, state.nets.discriminator):
        _start(net, norms=norm != "none")
    state.ema = copy.deepcopy(state.nets.generator).requires_grad_(False)
    shards = open_shards(Workspace(home).dataset("maps").shards(32))
    pictures = Pictures(shards, device=cpu, seed=0, resident=True, symmetries=True)
    for _ in range(STEPS):
        train_step(state, pictures, recipe, pace, seed=0, progress=0.0, team=team)
    return state


def _start(net: nn.Module, *, norms: bool) -> None:
    """Give a net torch's own start, which keeps signals alive without norms, and take those out.

    Where signals die, so do gradients, and Adam makes steps of what rounding left of them.
    """
    for part in net.modules():
        for name, child in list(part.named_children()):
            if isinstance(child, nn.BatchNorm2d) and not norms:
                setattr(part, name, nn.Identity())
            elif isinstance(child, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                child.reset_parameters()


def main() -> None:
    home, out, norms = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    cpu = torch.device("cpu")
    set_up(cpu)
    with joined(cpu) as team:
        for norm in norms:
            state = trained(home, Pace(4, 1, "fp32", team.size), norm, team)
            tensors = {k: v.contiguous() for k, v in model_tensors(state).items()}
            save_file(tensors, out / f"{norm}.{team.rank}.safetensors")


if __name__ == "__main__":
    main()
