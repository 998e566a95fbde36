"""`mapmaker export`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from mapmaker.cli.options import dry_run_option, json_option
from mapmaker.cli.plan import Chain, Plan
from mapmaker.events import Event
from mapmaker.registry import Registry
from mapmaker.shards.export.config import ExportConfig


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


@click.command("export")
@click.argument("dataset", required=False)
@click.option(
    "--to", type=click.Choice(TARGETS.names()), required=True, help="The form to write it in."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where to (default: exports/<data set>-<size>-<form>).",
)
@click.option("--size", type=int, help="Which shards to take the samples from [px].")
@click.option("--whole", is_flag=True, help="The kept pictures, byte for byte, and not samples.")
@json_option
@dry_run_option
def command(
    dataset: str | None,
    to: str,
    out: Path | None,
    size: int | None,
    whole: bool,
    as_json: bool,
    dry_run: bool,
) -> Plan:
    """Write a data set in a form that other people's tools read.

    Samples come from its shards; with --whole the kept pictures go as they came. What is refused
    for training is not exported either. A data card and croissant.json are written beside.
    """
    config = ExportConfig(to=to, whole=whole, size=size, out=out)
    target = TARGETS.get(to)

    def go(chain: Chain) -> Iterator[Event]:
        return target.run(chain, dataset, config)

    def describe(chain: Chain) -> list[str]:
        name = dataset or chain.dataset or f"the newest {target.of}"
        what = "its kept pictures" if whole else "its samples"
        return [f"export: {what} of {name} as {to}{f' into {out}' if out else ''}"]

    return Plan(
        command="export",
        describe=describe,
        run=go,
        dry_run=dry_run,
        as_json=as_json,
        needs_dataset=dataset,
    )
