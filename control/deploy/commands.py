"""How a tool of the laptop's or CI's is called, and how it ends: with an exit code, and where it
fails with one line on standard error.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from aws_parallelizer.aws.failures import SERVICE_ERRORS
from aws_parallelizer.aws.sentences import sentence
from aws_parallelizer.core.errors import ParallelizerError

Say = Callable[[str], None]

_INTERRUPTED = 130  # what a shell gives a program that Ctrl-C ended


class Interrupted(ParallelizerError):
    """Ctrl-C; the text says what is left, or goes on in AWS."""


def carry_out(run: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """Run `options.action`, in `options.region` where there is one; the exit code."""
    if getattr(options, "region", ""):
        os.environ["AWS_REGION"] = options.region
    try:
        return run(options)
    except Interrupted as error:
        return _told(options, str(error), _INTERRUPTED)
    except KeyboardInterrupt:
        return _told(options, "interrupted", _INTERRUPTED)
    except (ParallelizerError, *SERVICE_ERRORS) as error:
        return _told(options, sentence(error) or str(error), 1)


def _told(options: argparse.Namespace, text: str, code: int) -> int:
    print(f"{options.action}: {text}", file=sys.stderr)
    return code


def assignment(text: str) -> tuple[str, str]:
    """An argument name=value."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text} is not of the form name=value")
    return name, value


def add_region(parser: argparse.ArgumentParser) -> None:
    """The option."""
    parser.add_argument("--region", default="", help="instead of the one of your AWS settings")
