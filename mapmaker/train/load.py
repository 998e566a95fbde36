"""A generator to draw with: from a run's newest good checkpoint, or from a card on the shelf.

a shipped checkpoint:  card.toml  generator.safetensors (fp16)  samples.webp
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from mapmaker.errors import MapmakerError, UnsafeInput
from mapmaker.files import atomic_file, read_plain, sha256_of, write_atomic
from mapmaker.models import Nets, build, tell_kinds
from mapmaker.train.checkpoint import MODEL, check_same_net, check_sums, newest_good
from mapmaker.train.counters import read_counters
from mapmaker.train.frames import draw, write_sheet
from mapmaker.train.runs import read_header
from mapmaker.train.state import generator_hash
from mapmaker.train.tensors import load_tensors

WEIGHTS, CARD, SAMPLES = "generator.safetensors", "card.toml", "samples.webp"
_SAMPLE_SEED = 0


def load_generator(folder: Path, step: Path | None = None) -> tuple[nn.Module, dict[str, Any]]:
    """Return the generator of a run or a shelf checkpoint, in eval mode on the CPU, and its facts.

    step is the checkpoint of the run that is meant, left out the newest that is good.
    The facts: arch, size, options, latent_shape, name, sha256 (of the weights' file), step, kimg,
    dataset, warnings (a line for each newer checkpoint that is corrupt). The averaged weights are
    taken where there are any. Raises UnsafeInput for a file that is not what was written,
    MapmakerError when there is nothing to load yet, BadConfig when the file is another net's.
    """
    if (folder / CARD).is_file():
        return _from_card(folder)
    if not folder.is_dir():
        raise MapmakerError(f"There is no run {folder}.", hint="See `mapmaker list runs`.")
    warnings: list[str] = []
    if step is None:
        step, warnings = newest_good(folder)
    else:
        check_sums(step)
    counters = read_counters(step).plain()
    nets = _nets(step, counters)
    parts = {"G": nets.generator, "D": nets.discriminator}
    parts |= {"G_ema": nets.generator} if counters["ema"] else {}
    wanted = {f"{k}.{name}": v for k, net in parts.items() for name, v in net.state_dict().items()}
    tensors = load_tensors(step / MODEL, wanted)
    prefix = "G_ema." if counters["ema"] else "G."
    own = {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
    generator, latent_shape = _fill(nets, own)
    return generator, {
        "arch": counters["arch"],
        "size": counters["size"],
        "options": counters["options"],
        "generator": counters["generator"],
        "latent_shape": list(latent_shape),
        "name": folder.name,
        "sha256": sha256_of(step / MODEL),
        "step": counters["step"],
        "kimg": counters["images"] / 1000,
        "dataset": read_header(folder)["dataset"],
        "warnings": warnings,
    }


def publish(run: Path, folder: Path, card_fields: Mapping[str, Any] | None = None) -> Path:
    """Write a run's generator as a shelf checkpoint in `folder` and return its card's path.

    Weights are fp16, norms and biases stay fp32. card_fields (title, licence, data, how it was
    made...) are added to the card; the net's own facts win over them. The card is written last.
    """
    generator, facts = load_generator(run)
    tensors = {
        key: value.half() if value.is_floating_point() and value.ndim > 1 else value
        for key, value in generator.state_dict().items()
    }
    with atomic_file(folder / WEIGHTS) as beside:
        save_file({k: v.contiguous() for k, v in tensors.items()}, beside)
        beside.chmod(0o644)
    net, _ = _fill(_nets(folder / WEIGHTS, facts), _single(tensors))
    fixed = torch.Generator().manual_seed(_SAMPLE_SEED)
    latents = torch.randn(16, *facts["latent_shape"], generator=fixed)
    tell_kinds(latents, len(facts["options"].get("kinds", ())))
    write_sheet(folder / SAMPLES, draw(net, latents, "fp32", 4))
    plain = {k: v for k, v in facts.items() if k not in ("warnings", "sha256", "name")}
    card = {
        **(card_fields or {}),
        "name": folder.name,
        **plain,
        "run": facts["name"],
        "parameters": sum(p.numel() for p in generator.parameters()),
        "bytes": (folder / WEIGHTS).stat().st_size,
        "sha256": sha256_of(folder / WEIGHTS),
    }
    write_atomic(folder / CARD, tomli_w.dumps(card))
    return folder / CARD


def _from_card(folder: Path) -> tuple[nn.Module, dict[str, Any]]:
    path = folder / CARD
    try:
        card = tomllib.loads(read_plain(path))
        wanted = {name: card[name] for name in ("arch", "size", "sha256")}
    except (tomllib.TOMLDecodeError, RecursionError, KeyError) as error:
        raise UnsafeInput(f"{path} is no checkpoint's card: {error}.") from error
    weights = folder / WEIGHTS
    hint = "Install mapmaker again, or fetch the checkpoint again."
    if not weights.is_file():
        raise UnsafeInput(f"{weights} is missing.", hint=hint)
    if sha256_of(weights) != wanted["sha256"]:
        raise UnsafeInput(f"{weights} is corrupt: its sha256 is not the card's.", hint=hint)
    nets = _nets(weights, card)
    tensors = load_tensors(weights, nets.generator.state_dict(), halves=True)
    generator, latent_shape = _fill(nets, _single(tensors))
    return generator, {"warnings": [], **card, "latent_shape": list(latent_shape)}


def _single(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}


def _nets(where: Path, facts: Mapping[str, Any]) -> Nets:
    """Return the nets `facts` describe, without storage. Raises BadConfig for another version's."""
    with torch.device("meta"):
        nets = build(facts["arch"], facts["size"], facts.get("options") or {})
    if facts.get("generator"):
        check_same_net(where, facts, nets.arch, nets.size, generator_hash(nets))
    return nets


def _fill(nets: Nets, tensors: dict[str, Tensor]) -> tuple[nn.Module, tuple[int, ...]]:
    """Return the generator with `tensors` in it, in eval mode, and its latents' shape."""
    nets.generator.load_state_dict(tensors, assign=True)
    generator = nets.generator.requires_grad_(False).eval()
    return generator, nets.latent_shape
