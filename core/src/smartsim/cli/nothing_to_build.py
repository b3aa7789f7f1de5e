"""``smart build``, ``clean`` and ``clobber``: kept for scripts that call them; there is nothing to build any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smartsim.cli.output import EX_OK, say
from smartsim.plugin.exports import RUNTIMES

if TYPE_CHECKING:
    import argparse

__all__ = ["add_commands"]

_FLAGS = (
    *(f"--{runtime}" for runtime in RUNTIMES),
    "--skip-python-packages",
    "--skip-backends",
    "--skip-torch",
    "--skip-tensorflow",
    "--skip-onnx",
    "--keydb",
)


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands with the options that they had."""
    ignored = "accepted, without effect"
    build = commands.add_parser(
        "build",
        help="explain that nothing needs building",
        description="Nothing needs building: the database server is installed with the package. The options of earlier "
        "versions are accepted and have no effect.",
    )
    build.add_argument("-v", action="store_true", help=ignored)
    for option in ("--device", "--config-dir"):
        build.add_argument(option, metavar="VALUE", help=ignored)
    for flag in _FLAGS:
        build.add_argument(flag, action="store_true", help=ignored)
    build.set_defaults(
        run=_explain,
        text="Nothing needs building: the database server comes with the installation (see `smart info`), and "
        "plugins are installed with pip.",
    )
    clean = commands.add_parser(
        "clean",
        help="explain that nothing needs cleaning",
        description="Nothing needs cleaning: SmartSim builds nothing into its own folder. The option of earlier "
        "versions is accepted and has no effect.",
    )
    clean.add_argument("--clobber", action="store_true", help=ignored)
    clobber = commands.add_parser(
        "clobber",
        help="explain that nothing needs cleaning",
        description="Nothing needs cleaning: SmartSim builds nothing into its own folder.",
    )
    for parser in (clean, clobber):
        parser.set_defaults(run=_explain, text="Nothing needs cleaning: SmartSim builds nothing into its own folder.")


def _explain(arguments: argparse.Namespace) -> int:
    say(arguments.text)
    return EX_OK
