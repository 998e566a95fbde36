"""`mapmaker export`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from mapmaker.cli.options import dry_run_option, json_option
from mapmaker.cli.plan import Chain, Plan, say
from mapmaker.errors import BadConfig
from mapmaker.events import Event
from mapmaker.registry import Registry
from mapmaker.shards.export.config import FORMS, ExportConfig


@dataclass(frozen=True, slots=True)
class Target:
    """A form to export to: of what kind of thing, and the stage that does it."""

    of: str
    run: Callable[[Chain, str | None, ExportConfig], Iterator[Event]]


TARGETS: Registry[Target] = Registry("form to export to")


def _dataset(chain: Chain, name: str | None, config: ExportConfig) -> Iterator[Event]:
    from mapmaker.shards.export.export import export

    return export(chain.pick_dataset(name), config, chain.workspace.home)


TARGETS.register("imagefolder")(Target("data set", _dataset))
TARGETS.register("webdataset")(Target("data set", _dataset))


def _net(chain: Chain, name: str | None, config: ExportConfig) -> Iterator[Event]:
    from mapmaker.export.onnx import export_onnx
    from mapmaker.sample.sample import find_checkpoint

    if name in chain.workspace.dataset_names() and name not in chain.workspace.run_names():
        raise BadConfig(
            f"{name} is a data set, and onnx is a form of a net.",
            hint=f"Name a run, or choose {' or '.join(FORMS)}.",
        )
    source = find_checkpoint(chain.workspace, name or chain.run)
    if not (name or chain.run):
        say(f"Using {source.name}.")
    return export_onnx(chain.workspace, source, config.out)


TARGETS.register("onnx")(Target("run", _net))


@click.command("export")
@click.argument("name", required=False)
@click.option(
    "--to", type=click.Choice(TARGETS.names()), required=True, help="The form to write it in."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where to (default: exports/<data set>-<size>-<form>; a net: beside the run).",
)
@click.option("--size", type=int, help="Which shards to take the samples from [px].")
@click.option("--whole", is_flag=True, help="The kept pictures, byte for byte, and not samples.")
@json_option
@dry_run_option
def command(
    name: str | None,
    to: str,
    out: Path | None,
    size: int | None,
    whole: bool,
    as_json: bool,
    dry_run: bool,
) -> Plan:
    """Write a data set, or a net, in a form that other people's tools read.

    NAME is a data set, or a run or shelf checkpoint for --to onnx. Samples come from the data set's
    shards; with --whole the kept pictures go as they came. What is refused for training is not
    exported either. A data card and croissant.json are written beside. A net becomes one file,
    generator.onnx, which `sample` then paints with where onnxruntime is installed.
    """
    target = TARGETS.get(to)
    of_net = target.of == "run"
    if of_net and (whole or size is not None):
        raise BadConfig(
            f"--{'whole' if whole else 'size'} is of data sets, and {to} is a form of a net.",
            hint=f"Leave it out, or choose {' or '.join(FORMS)}.",
        )
    to_what = {} if of_net else {"to": to, "whole": whole, "size": size}
    config = ExportConfig(out=out, **to_what)

    def go(chain: Chain) -> Iterator[Event]:
        return target.run(chain, name, config)

    def describe(chain: Chain) -> list[str]:
        before = chain.run if of_net else chain.dataset
        what = "the generator" if of_net else "its kept pictures" if whole else "its samples"
        of = name or before or f"the newest {target.of}"
        return [f"export: {what} of {of} as {to}{f' into {out}' if out else ''}"]

    return Plan(
        command="export",
        describe=describe,
        run=go,
        dry_run=dry_run,
        as_json=as_json,
        needs_dataset=None if of_net else name,
    )
