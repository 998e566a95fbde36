"""Pictures come in here: fetched from a source, or brought along.

`scrape.scrape(workspace, source, config)` fetches what a card on the shelf `scrapers` declares;
`own.import_pictures(workspace, paths, config)` takes in one's own; `replica.Replica` is an archive
on this machine to try it on. Both write the same manifest (`manifest.COLUMNS`).
"""

from mapmaker.scrape.config import ImportConfig, ScrapeConfig

__all__ = ["ImportConfig", "ScrapeConfig"]
