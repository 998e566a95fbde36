"""`mapmaker scrape`."""

import click

from mapmaker.cli.options import config_options, dry_run_option, json_option
from mapmaker.cli.plan import Chain, Plan
from mapmaker.scrape.config import ScrapeConfig
from mapmaker.shelf import read_card


@click.command("scrape")
@click.argument("source", default="map-of-the-week")
@config_options(ScrapeConfig)
@json_option
@dry_run_option
def command(source: str, config: ScrapeConfig, as_json: bool, dry_run: bool) -> Plan:
    """Fetch the maps of a source, politely, with what is known of each.

    SOURCE is a card on the shelf scrapers/. Whatever is fetched stays: run the same command again
    to go on, or to see whether something is new.
    """
    read_card("scrapers", source)

    def go(chain: Chain):
        from mapmaker.scrape.scrape import scrape

        return scrape(chain.workspace, source, config)

    def describe(chain: Chain) -> list[str]:
        via = f" via {config.via}" if config.via else ""
        where = chain.workspace.dataset(source).root
        return [f"scrape: {source}{via}, dpi {config.dpi}, into {where}"]

    return Plan(
        command="scrape",
        describe=describe,
        run=go,
        dry_run=dry_run,
        as_json=as_json,
        leaves_dataset=source,
    )
