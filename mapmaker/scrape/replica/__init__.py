"""An archive on this machine in the shape of the real one, to scrape without a network.

    with Replica(maps=24) as archive:
        finish(scrape(workspace, "map-of-the-week", ScrapeConfig(via=archive.url)))

`plan` says what it holds (`full` at the real size, `faults` and `captures` with what goes wrong),
`art` and `pages` draw it, `live` and `wayback` decide what is answered, `server` speaks HTTP,
`truth` tells it all; `archive.Replica` is all of them together.
"""

from mapmaker.scrape.replica.archive import Replica, ReplicaConfig
from mapmaker.scrape.replica.plan import HOSTS

__all__ = ["HOSTS", "Replica", "ReplicaConfig"]
