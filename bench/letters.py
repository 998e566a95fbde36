"""Train what `mapmaker.prune.letterweights` knows: letters against what is no letter.

    python bench/letters.py MAPS > mapmaker/prune/letterweights.py

MAPS is a folder of maps with a PROVENANCE.csv (file, licence, source_map). What is no letter comes
from our own floor plans and from those maps only that are CC0 or Unlicense, bear no writing, and
lie in the half that thresholds are fitted on (see `signs.halves`): the weights are shipped, and the
other half is the check. Prints to stderr what share of held out letters is found where 1 to 10 % of
the rest is taken for one.
"""

import base64
import csv
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from mark_plants import ADDRESSES, MARKS
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from sign_plants import NAMES, TITLES, a_font, a_layout, a_line
from signs import halves
from torch import nn

from mapmaker.prune import letterform

SIGNS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789"
Grey = NDArray[np.uint8]
HEAD = '''"""What `letterform` knows of letters: 97 -> 32 -> 1, eight bits a weight, as base 85.

Trained by `bench/letters.py` on letters of 40 fonts drawn on plain and painted ground against what
is no letter: pieces of our own layouts and of the {count} CC0 and Unlicense maps of its list.
"""
'''


def main() -> None:
    """Print the module."""
    folder, rng = Path(sys.argv[1]), np.random.default_rng(1)
    with (folder / "PROVENANCE.csv").open(encoding="utf-8") as file:
        licences = {row["file"]: row["licence"] for row in csv.DictReader(file)}
    free = [
        path
        for path, written in halves(folder)["fitted"].items()
        if licences[path.name].startswith(("CC0", "Unlicense")) and not written
    ]
    maps = [np.asarray(Image.open(path).convert("L")) for path in free]
    letters = [piece for _ in range(2600) for piece in a_text(rng, maps)]
    others = [piece for grey in maps for piece in turned(rng, grey)]
    for seed in range(60):
        plain = a_layout(np.random.default_rng([seed, 5]), int(rng.choice([510, 750])))
        others += pieces(letterform.shrunk(np.asarray(plain.convert("L")), 510))
    packed, scales = pack(train(np.array(letters), np.array(others), rng))
    lines = [packed[at : at + 94] for at in range(0, len(packed), 94)]
    print(HEAD.format(count=len(free)))
    print(f"SCALES = ({', '.join(f'{scale:.8f}' for scale in scales)})  # of the four arrays below")
    print('PACKED = """\n' + "\n".join(lines) + '\n"""')


def pieces(grey: Grey) -> list[NDArray[np.float32]]:
    """Return what the net sees (97,) of every piece of ink that may be a letter."""
    inks = (letterform.dark_ink(grey), letterform.light_ink(grey))
    seen = (letterform.as_seen(ink, letterform.candidates(ink)) for ink in inks)
    return [row for part in seen for row in part]


def turned(rng: Generator, grey: Grey) -> list[NDArray[np.float32]]:
    """Return the pieces of a map at four scales, turned four ways, half of them mirrored."""
    found = []
    for side in (380, 510, 800, 1100):
        for turn in range(4):
            view = np.rot90(grey, turn)
            view = view[:, ::-1] if rng.random() < 0.5 else view
            found += pieces(letterform.shrunk(np.ascontiguousarray(view), side))
    return found


def a_text(rng: Generator, maps: list[Grey]) -> list[NDArray[np.float32]]:
    """Return the pieces of a line of text in any font, 9 to 55 px high, on any ground."""
    tall, fine = float(np.exp(rng.uniform(np.log(9), np.log(55)))), int(rng.integers(1, 4))
    font = a_font(rng, tall * fine)
    text = "".join(rng.choice(list(SIGNS), int(rng.integers(1, 12))))
    if rng.random() < 0.6:
        text = a_line(rng, font, tall * fine * 6)
    if rng.random() < 0.15:
        text = str(rng.choice(TITLES + NAMES + ADDRESSES + MARKS))
    width = int(font.getlength(text) + (20 + tall) * fine)
    height = int(tall * fine * 2.2) + 10
    dark = rng.random() < 0.5
    shade = float(rng.uniform(140, 255) if dark else rng.uniform(0, 120))
    ink = rng.uniform(0, shade - 90) if dark else rng.uniform(shade + 90, 255)
    ground = np.full((height, width), shade)
    if rng.random() < 0.5:
        grey = maps[int(rng.integers(len(maps)))]
        y, x = (
            int(rng.integers(max(1, a - b))) for a, b in zip(grey.shape, ground.shape, strict=True)
        )
        part = cv2.resize(grey[y : y + height, x : x + width], (width, height)).astype(np.float32)
        ground += (part - part.mean()) * rng.uniform(0, 0.6)
    drawn = Image.fromarray(ground.clip(0, 255).astype(np.uint8))
    edge = max(1, int(tall * fine / 12)) if rng.random() < 0.15 else 0
    edge_ink = int(255 - ink) if rng.random() < 0.7 else int(ink)
    ImageDraw.Draw(drawn).text(
        (10 * fine, tall * fine * 0.4),
        text,
        int(ink),
        font,
        stroke_width=edge,
        stroke_fill=edge_ink,
    )
    seen = cv2.blur(np.asarray(drawn), (fine, fine))
    seen = cv2.resize(seen, None, fx=1 / fine, fy=1 / fine, interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.6:
        _, data = cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 95))])
        seen = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    found = (letterform.dark_ink if dark else letterform.light_ink)(seen.astype(np.uint8))
    boxes = letterform.candidates(found)
    return list(letterform.as_seen(found, boxes[boxes[:, 3] > tall * 0.4]))


def train(letters: NDArray, others: NDArray, rng: Generator) -> nn.Sequential:
    """Return the net, trained with a seventh of both held out."""
    torch.manual_seed(0)
    others = others[rng.permutation(len(others))[:90_000]]
    parts = [(part, rng.random(len(part)) < 0.15) for part in (letters, others)]
    seen = torch.tensor(np.concatenate([part[~held] for part, held in parts]))
    wanted = torch.cat(
        [torch.full((int((~held).sum()),), 1.0 - i) for i, (_, held) in enumerate(parts)]
    )
    weight = torch.where(wanted > 0, 0.5 * len(others) / len(letters), 1.0)
    net = nn.Sequential(nn.Linear(97, 32), nn.ReLU(), nn.Linear(32, 1))
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=1e-3)
    rounds = 14
    for number in range(rounds):
        optimiser.param_groups[0]["lr"] = 1.5e-3 * (1 + np.cos(np.pi * number / rounds))
        for batch in torch.randperm(len(seen)).split(512):
            loss = nn.functional.binary_cross_entropy_with_logits(
                net(seen[batch])[:, 0], wanted[batch], weight=weight[batch]
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    found, wrong = (net(torch.tensor(part[held])).detach().numpy() for part, held in parts)
    for share in (1, 2, 5, 10):
        cut = np.percentile(wrong, 100 - share)
        print(f"{(found > cut).mean():.1%} found at {share} % wrong", file=sys.stderr)
    return net


def pack(net: nn.Sequential) -> tuple[str, list[float]]:
    """Return the four arrays in eight bits each, and their scales."""
    arrays = [value.detach().numpy() for value in net.state_dict().values()]
    scales = [float(np.abs(array).max() / 127) for array in arrays]
    bits = [np.round(a / scale).astype(np.int8) for a, scale in zip(arrays, scales, strict=True)]
    return base64.b85encode(b"".join(part.tobytes() for part in bits)).decode(), scales


if __name__ == "__main__":
    main()
