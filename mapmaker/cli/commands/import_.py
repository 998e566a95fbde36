"""`mapmaker import`."""

from pathlib import Path

import click

from mapmaker.cli.options import config_options, dry_run_option, json_option
from mapmaker.cli.plan import Chain, Plan
from mapmaker.scrape.config import ImportConfig


@click.command("import")
@click.argument(
    "paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH..."
)
@config_options(ImportConfig)
@json_option
@dry_run_option
def command(paths: tuple[Path, ...], config: ImportConfig, as_json: bool, dry_run: bool) -> Plan:
    """Take in your own pictures: files, folders, dd2vtt maps with their walls.

    Folders are read to the bottom. Pictures are copied, never moved; what is no picture is listed
    and left where it is. Importing the same files twice changes nothing.
    """

    def go(chain: Chain):
        from mapmaker.scrape.own import import_pictures

        return import_pictures(chain.workspace, paths, config)

    def describe(chain: Chain) -> list[str]:
        where = chain.workspace.dataset(config.name).root
        return [f"import: {', '.join(map(str, paths))} into {where}"]

    return Plan(
        command="import",
        describe=describe,
        run=go,
        dry_run=dry_run,
        as_json=as_json,
        leaves_dataset=config.name,
    )
