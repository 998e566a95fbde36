"""What a scrape would do, in words, without asking the network anything."""

from mapmaker.scrape.config import ScrapeConfig
from mapmaker.scrape.source import read_source
from mapmaker.workspace import Workspace


def describe(workspace: Workspace, source: str, config: ScrapeConfig) -> list[str]:
    """Return the lines `--dry-run` prints. Raises as read_source does."""
    card = read_source(source)
    dataset = workspace.dataset(card.name)
    here = len(dataset.rows()) if dataset.manifest.exists() else 0
    rate = f"{config.rate:g}" if config.rate else "unlimited" if config.via else "1"
    via = f", by way of {config.via}" if config.via else ""
    who = config.who or "nobody yet: --contact says whom the site's keeper can write to"
    lines = [
        f"scrape: {card.title}",
        f"  starts at {', '.join(card.start)}{via}",
        f"  fetches dpi {config.dpi}, {config.jobs} at a time, requests a second and host: {rate}",
        f"  asks web.archive.org for what is missing: {'yes' if config.asks_wayback else 'no'}",
        f"  names as its keeper {who}",
        f"  writes into {dataset.root}, where {here} pictures are already",
        f"  licence: {card.license}",
    ]
    if config.limit:
        lines.insert(3, f"  stops after {config.limit} maps")
    return lines
