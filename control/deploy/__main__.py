"""`python -m deploy package|deploy|plan|destroy`: what the make targets of these names run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from deploy import prices
from deploy.commands import add_region, assignment, carry_out
from deploy.destroy import destroy
from deploy.package import CODE, TEMPLATE, package
from deploy.preview import preview
from deploy.stack import deploy

say = partial(print, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 when all is as asked."""
    return carry_out(_run, _options(arguments))


def _run(options: argparse.Namespace) -> int:
    match options.action:
        case "package":
            _package(options.out)
        case "deploy":
            outputs = deploy(options.stack, parameters=dict(options.parameters), say=say)
            prices.publish(outputs["LedgerTable"], say=say)
            _tell(outputs)
        case "plan":
            preview(options.stack, job=options.job, say=say)
        case "destroy":
            destroy(options.stack, force=options.force, buckets=options.buckets, say=say)
    return 0


def _package(out: Path) -> None:
    package(out)
    for name in (TEMPLATE, CODE):
        say(f"{out / name}  {(out / name).stat().st_size:,} bytes")


def _tell(outputs: Mapping[str, str]) -> None:
    for name, value in sorted(outputs.items()):
        say(f"{name}={value}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="deploy", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    one = actions.add_parser("package", help="write the template and the functions' code")
    one.add_argument("--out", type=Path, default=Path("build/package"))
    one = actions.add_parser("deploy", help="create or update a stack")
    _place(one)
    one.add_argument("parameters", nargs="*", type=assignment, metavar="Parameter=Value")
    one = actions.add_parser("plan", help="say what reconcile would do now, and do nothing")
    _place(one)
    one.add_argument("--job", default="", help="this job alone")
    one = actions.add_parser("destroy", help="leave nothing of a stack")
    _place(one)
    one.add_argument("--force", action="store_true", help="drop the work that is left")
    one.add_argument("--buckets", action="store_true", help="empty and remove its buckets too")
    return parser.parse_args(arguments)


def _place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stack", default="parallelizer", help="name of the stack")
    add_region(parser)


if __name__ == "__main__":
    sys.exit(main())
