"""`mapmaker demo`."""

import sys
from pathlib import Path

import click

from mapmaker.cli.options import dry_run_option, json_option
from mapmaker.cli.plan import Chain, Plan


@click.command("demo")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path("demo"))
@click.option(
    "--minutes",
    type=click.FloatRange(0.02, 60),
    default=1.0,
    show_default=True,
    help="Training time.",
)
@click.option(
    "--open/--no-open", "open_browser", default=None, help="Open the page (default on a desktop)."
)
@json_option
@dry_run_option
def command(
    folder: Path, minutes: float, open_browser: bool | None, as_json: bool, dry_run: bool
) -> Plan:
    """Go the whole way once, small, and show the pictures.

    Needs no network and no GPU: an archive drawn by rule is served on this machine, scraped,
    pruned, packed, trained on for a minute and sampled. Everything lands in FOLDER.
    """
    opens = open_browser if open_browser is not None else sys.stdout.isatty()

    def go(chain: Chain):
        from mapmaker.demo import demo

        return demo(chain.workspace.home / folder, minutes, opens)

    return Plan(
        command="demo",
        describe=lambda chain: [f"demo: everything into {chain.workspace.home / folder}"],
        run=go,
        dry_run=dry_run,
        as_json=as_json,
    )
