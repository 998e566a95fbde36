"""`mapmaker scrape`."""

import click

from mapmaker.cli.options import config_options, dry_run_option, json_option
from mapmaker.cli.plan import Chain, Plan
from mapmaker.scrape.config import ScrapeConfig, check_contact
from mapmaker.scrape.source import read_source


@click.command("scrape")
@click.argument("source", default="map-of-the-week")
@config_options(ScrapeConfig)
@json_option
@dry_run_option
def command(source: str, config: ScrapeConfig, as_json: bool, dry_run: bool) -> Plan:
    """Fetch the maps of a source, politely, with what is known of each.

    SOURCE is a card on the shelf scrapers/, or the path of a card of your own (.toml). Whatever is
    fetched stays: run the same command again to go on, or to see whether something is new.
    """
    card = read_source(source)
    if not dry_run:
        check_contact(card.hosts, config)

    def go(chain: Chain):
        from mapmaker.scrape.scrape import scrape

        return scrape(chain.workspace, source, config)

    def describe(chain: Chain) -> list[str]:
        from mapmaker.scrape.plan import describe

        return describe(chain.workspace, source, config)

    return Plan(
        command="scrape",
        describe=describe,
        run=go,
        dry_run=dry_run,
        as_json=as_json,
        leaves_dataset=card.name,
    )
