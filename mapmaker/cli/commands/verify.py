"""`mapmaker verify`."""

from collections.abc import Iterator

import click

from mapmaker.cli.options import json_option
from mapmaker.cli.plan import Chain, Plan
from mapmaker.events import Event


@click.command("verify")
@click.argument("dataset", required=False)
@click.option("--size", type=int, help="Only the shards of this size [px] (default: every size).")
@json_option
def command(dataset: str | None, size: int | None, as_json: bool) -> Plan:
    """Read every byte of a data set's shards and say what has changed.

    Holds each file against its card and each sample against its sum. Damage is told with the
    shard, the row and where its picture came from; the exit code is then 3.
    """

    def go(chain: Chain) -> Iterator[Event]:
        from mapmaker.shards.verify import verify

        return verify(chain.pick_dataset(dataset), size or chain.size)

    def describe(chain: Chain) -> list[str]:
        name = dataset or chain.dataset or "the newest data set"
        return [f"verify: {name}, {f'{size} px' if size else 'every size'}"]

    return Plan(
        command="verify",
        describe=describe,
        run=go,
        as_json=as_json,
        needs_dataset=dataset,
        size=size,
    )
