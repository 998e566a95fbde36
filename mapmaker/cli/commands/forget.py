"""`mapmaker forget`."""

from collections.abc import Iterator

import click

from mapmaker.cli.options import dry_run_option, json_option
from mapmaker.cli.plan import Chain, Plan
from mapmaker.errors import BadConfig
from mapmaker.events import Event


@click.command("forget")
@click.argument("dataset", required=False)
@click.argument("pictures", nargs=-1, metavar="[PICTURE]...")
@click.option("--reason", default="", metavar="TEXT", help="Why: kept with the removal.")
@click.option("--erase", is_flag=True, help="Erase the bytes, thumbnails and measurements too.")
@click.option("--list", "as_list", is_flag=True, help="List the removals that stand.")
@click.option(
    "--restore", multiple=True, metavar="ID", help="Take a removal back, by id or file; repeatable."
)
@json_option
@dry_run_option
def command(
    dataset: str | None,
    pictures: tuple[str, ...],
    reason: str,
    erase: bool,
    as_list: bool,
    restore: tuple[str, ...],
    as_json: bool,
    dry_run: bool,
) -> Plan:
    """Remove pictures for good: no scrape or import brings them back.

    PICTURE is the beginning of an id, a file, a title or an address. The file goes to dropped/,
    its bytes, addresses and looks are remembered, and what was made of it is listed. A title that
    is the name of a command goes behind `--`.
    """
    if sum((bool(pictures), as_list, bool(restore))) != 1:
        raise BadConfig(
            "Nothing to do, or too much." if pictures or dataset else "No data set is named.",
            hint="Give DATASET and PICTURE..., DATASET --restore ID, or --list.",
        )
    if not dataset and not as_list:
        raise BadConfig("No data set is named.", hint="Say `mapmaker forget DATASET ...`.")

    def go(chain: Chain) -> Iterator[Event]:
        from mapmaker.prune import tombstones

        space = chain.workspace
        if as_list:
            names = [dataset] if dataset else space.dataset_names()
            return tombstones.listed([space.existing_dataset(name) for name in names])
        found = chain.pick_dataset(dataset)
        if restore:
            return tombstones.restore(found, restore)
        return tombstones.forget(space, found, pictures, reason=reason, erase=erase)

    def describe(chain: Chain) -> list[str]:
        if as_list:
            return ["forget: list the removals"]
        if restore:
            return [f"forget: bring back {', '.join(restore)} to {dataset}"]
        how = "erase" if erase else "set aside"
        return [f"forget: {how} {', '.join(pictures)} of {dataset}, for good"]

    return Plan(
        command="forget",
        describe=describe,
        run=go,
        dry_run=dry_run,
        as_json=as_json,
        needs_dataset=dataset,
    )
