"""`mapmaker sample`."""

import click

from mapmaker.cli.options import config_options, dry_run_option, json_option
from mapmaker.cli.plan import Chain, Plan, say
from mapmaker.errors import BadConfig
from mapmaker.sample.config import SampleConfig


@click.command("sample")
@click.argument("run", required=False)
@config_options(SampleConfig)
@json_option
@dry_run_option
def command(run: str | None, config: SampleConfig, as_json: bool, dry_run: bool) -> Plan:
    """Make new maps.

    RUN is one of your runs or a checkpoint on the shelf; left out it is the run the line has just
    trained, else your newest, else the one that came with mapmaker. Picture i of several is the
    single picture of seed + i, and every PNG carries what is needed to make it again (--from).
    """
    if config.regenerate is not None and (run or config.layout):
        raise BadConfig("--from says itself what made the map.", hint="Leave RUN and --layout out.")
    if config.layout is not None:
        from mapmaker.layout import KINDS

        KINDS.get(config.layout)
    seeds = config.seeds()

    def go(chain: Chain):
        from mapmaker.sample import sample as stage

        if config.regenerate is not None:
            return stage.regenerate(chain.workspace, config.regenerate, config)
        if config.layout is not None:
            return stage.sample_layout(chain.workspace, config)
        folder = stage.find_checkpoint(chain.workspace, run or chain.run)
        if not (run or chain.run):
            say(f"Using {folder.name}.")
        return stage.sample(chain.workspace, folder, config)

    def describe(chain: Chain) -> list[str]:
        what = config.layout or run or chain.run or "the newest run"
        return [f"sample: {len(seeds)} maps of {what} into {chain.workspace.maps}"]

    return Plan(command="sample", describe=describe, run=go, dry_run=dry_run, as_json=as_json)
