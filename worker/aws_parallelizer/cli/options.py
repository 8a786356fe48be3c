"""Arguments and options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Job = Annotated[str, typer.Argument(metavar="JOB", help="The job's name.")]
Stack = Annotated[
    str,
    typer.Option(
        envvar="PARALLELIZER_STACK",
        help="The CloudFormation stack; PARALLELIZER_API, an address, goes before it.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

DEFAULT_STACK = "parallelizer"
