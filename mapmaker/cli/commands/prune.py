"""`mapmaker prune`."""

import sys
from collections.abc import Iterator
from dataclasses import replace

import click

from mapmaker.cli.options import config_options, dry_run_option, json_option
from mapmaker.cli.plan import Chain, Plan, say
from mapmaker.errors import BadConfig
from mapmaker.events import Done, Event
from mapmaker.prune.config import PruneConfig
from mapmaker.shards.config import PackConfig


@click.command("prune")
@click.argument("dataset", required=False)
@config_options(PruneConfig)
@click.option(
    "--review/--no-review",
    default=None,
    help="Decide in the browser (default on a terminal, unless --auto).",
)
@click.option("--port", type=int, default=8007, show_default=True, help="Port of the review page.")
@config_options(PackConfig, but=("size", "engine"), into="pack")
@click.option("--size", type=int, help="Side of a picture in a shard [px] (default 750).")
@json_option
@dry_run_option
def command(
    dataset: str | None,
    config: PruneConfig,
    pack: PackConfig,
    review: bool | None,
    port: int,
    size: int | None,
    as_json: bool,
    dry_run: bool,
) -> Plan:
    """Drop what would teach the net nothing, then write shards.

    Looks at every picture, suggests what to drop and why, lets you decide in the browser (or
    accepts the suggestions with --auto), then cuts, augments and writes what is kept. Nothing is
    ever deleted: a dropped picture stays where it is until --apply sets it aside.
    """
    from mapmaker.cli.commands.pack import pack_events, sized

    if not 0 <= port <= 65_535:
        raise BadConfig(f"port is {port}.", hint="It must be from 0 to 65535; 0 takes a free one.")
    pack = replace(sized(pack, size, None), engine=config.engine)
    asks = review if review is not None else not config.auto and sys.stderr.isatty()
    moves_only = config.apply or config.restore

    def go(chain: Chain) -> Iterator[Event]:
        from mapmaker.prune.prune import prune

        found = chain.pick_dataset(dataset)
        done = None
        for event in prune(found, config):
            if isinstance(event, Done):
                done = event
            else:
                yield event
        assert done is not None
        if moves_only:
            yield done
            return
        say(done.summary)
        if asks:
            from mapmaker.studio.review import serve_review

            def tell(url: str) -> None:
                say(f"Decide at {url} in your browser; ? shows the keys, Finish goes on.")

            serve_review(found, port=port, open_browser=True, ready=tell)
        packed = None
        for event in pack_events(found, sized(pack, size, chain.size)):
            packed = event
            if not isinstance(event, Done):
                yield event
        assert isinstance(packed, Done)
        data = {"prune": dict(done.data)} | dict(packed.data) | {"dataset": found.name}
        yield Done("prune", packed.summary, data, done.exit_code)

    def describe(chain: Chain) -> list[str]:
        name = dataset or chain.dataset or "the newest data set"
        how = (
            "accept the suggestions"
            if config.auto
            else "decide in the browser"
            if asks
            else "as decided"
        )
        size_px = sized(pack, size, chain.size).size
        if moves_only:
            what = "put back" if config.restore else "set aside"
            return [f"prune: {name}, {what} what was dropped"]
        return [f"prune: {name}, {how}", f"pack: {name} at {size_px} px into shards/{size_px}"]

    return Plan(
        command="prune",
        describe=describe,
        run=go,
        dry_run=dry_run,
        as_json=as_json,
        needs_dataset=dataset,
        size=size,
    )
