"""`mapmaker evaluate`."""

from collections.abc import Iterator

import click

from mapmaker.cli.options import config_options, dry_run_option, json_option
from mapmaker.cli.plan import Chain, Plan, say
from mapmaker.evaluate.config import EvaluateConfig
from mapmaker.events import Event


@click.command("evaluate")
@click.argument("run", required=False)
@config_options(EvaluateConfig)
@json_option
@dry_run_option
def command(run: str | None, config: EvaluateConfig, as_json: bool, dry_run: bool) -> Plan:
    """Measure a net's pictures against maps it never saw.

    RUN is one of your runs; left out it is the one the line has just trained, else the newest.
    Each number stands beside its floor (real training maps against the held-out ones) and is
    explained in docs/metrics.md. Pictures that copy a training map are named by their seed.
    """

    def go(chain: Chain) -> Iterator[Event]:
        from mapmaker.evaluate import evaluate

        folder = chain.workspace.existing_run(run or chain.run)
        if not (run or chain.run):
            say(f"Using {folder.name}.")
        return evaluate(chain.workspace, folder, config)

    def describe(chain: Chain) -> list[str]:
        what = "every checkpoint" if config.all else config.checkpoint or "the newest checkpoint"
        name = run or chain.run or "the newest run"
        return [f"evaluate: {config.n} pictures of {what} of {name}"]

    return Plan(
        command="evaluate",
        describe=describe,
        run=go,
        dry_run=dry_run,
        as_json=as_json,
        needs_dataset=config.dataset,
    )
