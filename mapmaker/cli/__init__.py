"""The command line: a thin face over the stages. Parse, build configs, run plans, draw events."""

import sys


def main(args: list[str] | None = None) -> None:
    """Run the command line and leave with the exit code of the documented list."""
    try:
        from mapmaker.cli.border import run_line

        code = run_line(sys.argv[1:] if args is None else args)
    except KeyboardInterrupt:  # before the border stood, or a second one as it was left
        code = 130
    sys.exit(code)
