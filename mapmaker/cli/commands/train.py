"""`mapmaker train`."""

from collections.abc import Iterator
from dataclasses import replace

import click

from mapmaker.cli.options import config_options, dry_run_option, json_option
from mapmaker.cli.plan import Chain, Plan
from mapmaker.events import Event
from mapmaker.train import TrainConfig, find_recipe


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
    so that the peak stays below it; --dry-run prints that plan alone. Ctrl-C saves and stops, and
    the same command goes on; --resume with a larger budget goes on with a finished run.
    """
    if size is not None:
        config = replace(config, size=size)
    find_recipe(config.recipe, config.arch)

    def wanted(chain: Chain) -> TrainConfig:
        return replace(config, size=size or chain.size or config.size)

    def go(chain: Chain) -> Iterator[Event]:
        from mapmaker.train import train

        run = wanted(chain)
        name = dataset or (_dataset_of(chain, run.name) if run.resume and run.name else None)
        return train(chain.workspace, chain.pick_dataset(name), run)

    def describe(chain: Chain) -> list[str]:
        from mapmaker.train.job import plan_run

        run = wanted(chain)
        name = dataset or chain.dataset or "the newest data set"
        plan = plan_run(run, find_recipe(run.recipe, run.arch), pictures=0)
        head = f"train: {run.arch} at {run.size} px on {name}, recipe {run.recipe}"
        return [head, *str(plan).splitlines()]

    return Plan(
        command="train",
        describe=describe,
        run=go,
        dry_run=dry_run,
        as_json=as_json,
        needs_dataset=dataset,
        size=size,
    )


def _dataset_of(chain: Chain, run: str) -> str:
    """Return the data set that a run goes on with when none is named."""
    from mapmaker.train.runs import read_header

    return str(read_header(chain.workspace.existing_run(run))["dataset"])
