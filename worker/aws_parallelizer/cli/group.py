"""How a command ends: 0 done, 1 it could not be done, 2 it was called wrongly, 130 Ctrl-C."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup


class Commands(TyperGroup):
    """Turns what commands raise into one clear sentence and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error that has no sentence is a bug and keeps its traceback."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("Interrupted.", err=True)
            raise typer.Exit(130) from None
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise  # ways to end that typer knows
        except Exception as error:
            from aws_parallelizer.aws.sentences import sentence

            told = sentence(error)
            if told is None:
                raise
            typer.echo(told, err=True)
            raise typer.Exit(1) from error
