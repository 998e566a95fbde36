"""`mapmaker pack`: the second half of prune, alone."""

from collections.abc import Iterator
from dataclasses import replace

import click

from mapmaker.cli.options import config_options, dry_run_option, json_option
from mapmaker.cli.plan import Chain, Plan
from mapmaker.events import Event
from mapmaker.shards.config import PackConfig
from mapmaker.workspace import Dataset


@click.command("pack")
@click.argument("dataset", required=False)
@config_options(PackConfig, but=("size",))
@click.option("--size", type=int, help="Side of a picture in a shard [px] (default 750).")
@json_option
@dry_run_option
def command(
    dataset: str | None, config: PackConfig, size: int | None, as_json: bool, dry_run: bool
) -> Plan:
    """Cut, augment and write shards of the pictures that were kept."""
    sized(config, size, None)

    def go(chain: Chain) -> Iterator[Event]:
        return pack_events(chain.pick_dataset(dataset), sized(config, size, chain.size))

    def describe(chain: Chain) -> list[str]:
        name = dataset or chain.dataset or "the newest data set"
        size_px = sized(config, size, chain.size).size
        return [f"pack: {name} at {size_px} px into shards/{size_px}"]

    return Plan(
        command="pack",
        describe=describe,
        run=go,
        dry_run=dry_run,
        as_json=as_json,
        needs_dataset=dataset,
        size=size,
    )


def sized(config: PackConfig, size: int | None, chain_size: int | None) -> PackConfig:
    """Return the config at the size given here, else elsewhere in the line, else its own."""
    return replace(config, size=size or chain_size or config.size)


def pack_events(dataset: Dataset, config: PackConfig) -> Iterator[Event]:
    """Run the stage; imported late, with all that reads and writes pictures."""
    from mapmaker.shards.pack import pack

    return pack(dataset, config)
