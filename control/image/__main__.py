"""`python -m image wheelhouse|legacy|audit`: what the image is made from, and what is in it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from image import legacy, wheelhouse
from image.audit import __main__ as audit
from image.saying import ImageFailed, Interrupted
from image.targets import DEFAULT_ARCHITECTURE, DEFAULT_RELEASE

_INTERRUPTED = 130  # what a shell gives a program that Ctrl-C ended

say = partial(print, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 when all is as asked."""
    options = _options(arguments)
    try:
        return _run(options)
    except Interrupted as error:
        print(f"{options.action}: {error}", file=sys.stderr)
        return _INTERRUPTED
    except KeyboardInterrupt:
        print(f"{options.action}: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except ImageFailed as error:
        print(f"{options.action}: {error}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    match options.action:
        case "wheelhouse":
            for wheel in wheelhouse.build(options.release, options.arch, options.out):
                say(wheel.file)
        case "legacy":
            say(legacy.view(options.out))
        case "audit":
            return audit.run(options.place, raw=options.disk)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="image", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    one = actions.add_parser("wheelhouse", help="fetch the wheels that the builder installs")
    _target(one)
    one.add_argument("--out", type=Path, default=Path("build/wheelhouse"))
    one = actions.add_parser("legacy", help="write the template as Packer before 1.7 takes it")
    one.add_argument("--out", type=Path, default=Path("build/legacy"))
    one = actions.add_parser("audit", help="search an image for what must not be in it")
    audit.add_arguments(one)
    return parser.parse_args(arguments)


def _target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--release", default=DEFAULT_RELEASE, help="Debian's, 12 or 13")
    parser.add_argument("--arch", default=DEFAULT_ARCHITECTURE, help="amd64 or arm64")


if __name__ == "__main__":
    sys.exit(main())
