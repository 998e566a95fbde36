"""`mapmaker doctor`."""

import click

from mapmaker.cli.options import json_option
from mapmaker.cli.plan import Chain, Plan


@click.command("doctor")
@json_option
def command(as_json: bool) -> Plan:
    """Say what this machine can do, after trying it.

    Runs a real training step on the device that training would use. Exit code 5 when something
    needed is missing.
    """

    def go(chain: Chain):
        from mapmaker.doctor import doctor

        return doctor(chain.workspace.home)

    return Plan(command="doctor", describe=lambda chain: ["doctor"], run=go, as_json=as_json)
