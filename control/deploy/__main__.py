"""`python -m deploy --stack NAME [Parameter=Value ...]`: create or update a stack."""

from __future__ import annotations

import argparse
import sys

from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.core.errors import ParallelizerError
from deploy.stack import deploy


def main() -> int:
    """The command line; 0 when the stack stands as described."""
    parser = argparse.ArgumentParser(prog="deploy", description=__doc__)
    parser.add_argument("--stack", default="parallelizer", help="name of the stack")
    parser.add_argument("parameters", nargs="*", metavar="Parameter=Value")
    arguments = parser.parse_args()
    pairs = [text.partition("=") for text in arguments.parameters]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        parser.error(f"not of the form Parameter=Value: {', '.join(wrong)}")
    try:
        outputs = deploy(arguments.stack, parameters={name: value for name, _, value in pairs})
    except (ParallelizerError, *CALL_FAILED) as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    for name, value in sorted(outputs.items()):
        print(f"{name}={value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
