"""`mapmaker train`."""

from collections.abc import Iterator
from dataclasses import replace

import click

from mapmaker.cli.options import config_options, dry_run_option, json_option
from mapmaker.cli.plan import Chain, Plan
from mapmaker.events import Event, Note
from mapmaker.train.config import TrainConfig


@click.command("train")
@click.argument("dataset", required=False)
@config_options(TrainConfig, but=("size",))
@click.option("--size", type=int, help="Side of a picture [px], 32 to 1024 (default 750).")
@json_option
@dry_run_option
def command(
    dataset: str | None, config: TrainConfig, size: int | None, as_json: bool, dry_run: bool
) -> Plan:
    """Train a net on a data set.

    Shards of the wanted size are written first when they are missing. --memory chooses the batch
    so that the peak stays below it; --dry-run prints that plan alone. Ctrl-C saves and stops; the
    same command with --resume goes on.
    """
    if size is not None:
        config = replace(config, size=size)

    def go(chain: Chain) -> Iterator[Event]:
        from mapmaker.cli.commands.pack import pack_events
        from mapmaker.shards.config import PackConfig
        from mapmaker.train.loop import train

        found = chain.pick_dataset(dataset)
        wanted = replace(config, size=size or chain.size or config.size)
        if not (found.shards(wanted.size) / "card.json").exists():
            yield Note(f"{found.name} has no shards at {wanted.size} px yet; packing them first.")
            yield from list_without_done(pack_events(found, PackConfig(size=wanted.size)))
        yield from train(chain.workspace, found, wanted)

    def describe(chain: Chain) -> list[str]:
        from mapmaker.train.loop import describe_plan

        wanted = replace(config, size=size or chain.size or config.size)
        name = dataset or chain.dataset or "the newest data set"
        head = f"train: {wanted.arch} at {wanted.size} px on {name}, recipe {wanted.recipe}"
        return [head, *describe_plan(wanted).splitlines()]

    return Plan(
        command="train",
        describe=describe,
        run=go,
        dry_run=dry_run,
        as_json=as_json,
        needs_dataset=dataset,
        size=size,
    )


def list_without_done(events: Iterator[Event]) -> Iterator[Event]:
    """Pass on what a stage says, but not its end: another stage follows in the same command."""
    from mapmaker.events import Done

    for event in events:
        if isinstance(event, Done):
            yield Note(event.summary)
        else:
            yield event
