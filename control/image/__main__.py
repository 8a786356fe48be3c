"""`python -m image ...`: what the make targets `ami`, `ami-verify` and `ami-prune` run, and the
wheelhouse that a playbook needs which somebody runs alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from aws_parallelizer.aws import clients
from deploy.commands import add_region, assignment, carry_out
from image import making, manifest, prune, regions, verifying, wheelhouse
from image.making import Order
from image.targets import DEFAULT_ARCHITECTURE, DEFAULT_RELEASE, Target

_WHEELHOUSE = Path("build/wheelhouse")
_KEPT = 2  # images of each release and architecture: the last, and the one before it

say = partial(print, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 when all is as asked."""
    return carry_out(_run, _options(arguments))


def _run(options: argparse.Namespace) -> int:
    match options.action:
        case "ami":
            making.make(_order(options), say=say)
        case "publish":
            made = manifest.read(options.manifest)
            making.publish(made, parameter=options.parameter, say=say)
        case "verify":
            return 0 if _verify(options) else 1
        case "prune":
            place = regions.region(options.region)
            regions.account(clients.client("sts"))
            prune.prune(place, keep=options.keep, remove=options.yes, say=say)
        case "wheelhouse":
            for wheel in wheelhouse.build(options.release, options.arch, _WHEELHOUSE):
                say(wheel.file)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="image", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    one = actions.add_parser("ami", help="make an image and publish its id")
    _target(one)
    add_region(one)
    one.add_argument("--copies", type=_words, default=(), help="more regions that get it")
    _parameter(one)
    one.add_argument("--file", type=_file, help="more variables of the template, in HCL")
    one.add_argument("variables", nargs="*", type=assignment, metavar="name=value")
    one = actions.add_parser("publish", help="publish the ids of an image that was made before")
    one.add_argument("manifest", type=Path, help="what Packer wrote of it")
    _parameter(one)
    one = actions.add_parser("verify", help="look at an image, and start an instance of it once")
    _target(one)
    add_region(one)
    one.add_argument("--image", default="", help="its id, instead of the one that stacks use")
    one.add_argument("--subnet", default="", help="of the instance, instead of the default VPC's")
    one = actions.add_parser("prune", help="remove old images that nothing needs")
    add_region(one)
    one.add_argument("--keep", type=_number, default=_KEPT, help="the newest of each kind")
    one.add_argument("--yes", action="store_true", help="do it, and do not only say it")
    one = actions.add_parser("wheelhouse", help=f"fetch the builder's wheels to {_WHEELHOUSE}")
    _target(one)
    return parser.parse_args(arguments)


def _verify(options: argparse.Namespace) -> bool:
    place = regions.region(options.region)
    regions.account(clients.client("sts"))
    return verifying.verify(
        place, image=options.image, arch=options.arch, subnet=options.subnet, say=say
    )


def _order(options: argparse.Namespace) -> Order:
    return Order(
        target=Target(release=options.release, arch=options.arch),
        region=regions.region(options.region),
        copies=options.copies,
        parameter=options.parameter,
        variables=dict(options.variables),
        file=options.file,
    )


def _parameter(parser: argparse.ArgumentParser) -> None:
    text = "the SSM parameter that is to name it; by default what stacks read"
    parser.add_argument("--parameter", default="", help=text)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is no number from 0 on")
    return int(text)


def _file(text: str) -> Path | None:
    if text and not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return Path(text).resolve() if text else None


def _target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--release", default=DEFAULT_RELEASE, help="Debian's, 12 or 13")
    parser.add_argument("--arch", default=DEFAULT_ARCHITECTURE, help="amd64 or arm64")


if __name__ == "__main__":
    sys.exit(main())
