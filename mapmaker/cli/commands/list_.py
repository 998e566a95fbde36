"""`mapmaker list`."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from mapmaker.cli.options import json_option
from mapmaker.cli.plan import Chain, Plan
from mapmaker.events import Done, Event
from mapmaker.shelf import cards, read_card
from mapmaker.workspace import Workspace

THINGS = ("sources", "datasets", "runs", "checkpoints", "architectures")


@click.command("list")
@click.argument("what", type=click.Choice(THINGS))
@json_option
def command(what: str, as_json: bool) -> Plan:
    """List sources, data sets, runs or architectures."""

    def go(chain: Chain) -> Iterator[Event]:
        rows = _rows(chain.workspace, what)
        width = max((len(name) for name in rows), default=0)
        text = "\n".join(f"{name:{width}}  {about}".rstrip() for name, about in rows.items())
        yield Done("list", text or f"There are no {what} in {chain.workspace.home} yet.", rows)

    return Plan(command="list", describe=lambda chain: [f"list: {what}"], run=go, as_json=as_json)


def _rows(workspace: Workspace, what: str) -> dict[str, str]:
    """Return name -> one line about it."""
    if what in ("sources", "checkpoints"):
        shelf = "scrapers" if what == "sources" else what
        return {name: _title(read_card(shelf, name)[1]) for name in cards(shelf)}
    if what == "datasets":
        sets = [workspace.dataset(name) for name in workspace.dataset_names()]
        return {d.name: f"{len(d.rows())} pictures{_sizes(d.root)}" for d in sets}
    if what == "runs":
        return {name: _about_run(workspace.run(name)) for name in workspace.run_names()}
    from mapmaker.models import ARCHS

    return {name: _about_net(ARCHS.get(name)) for name in ARCHS.names()}


def _about_net(build: Callable) -> str:
    """Return what the net's own file says first: "`dcgan`: the net of the author's notes..."."""
    first = (sys.modules[build.__module__].__doc__ or "").split("\n")[0]
    return first.split(": ", 1)[-1]


def _sizes(root: Path) -> str:
    sizes = sorted(int(p.parent.name) for p in root.glob("shards/*/card.json"))
    return f", shards at {', '.join(map(str, sizes))} px" if sizes else ""


def _about_run(run: Path) -> str:
    from mapmaker.train.runs import read_config, read_header, state_of

    config = read_config(run)
    kinds = read_header(run).get("options", {}).get("kinds", [])
    told = f", kinds {' '.join(kinds)}" if kinds else ""
    return f"{config.arch}, {config.size} px, recipe {config.recipe}{told}, {state_of(run)}"


def _title(card: dict) -> str:
    return str(card.get("title") or card.get("about") or "")
