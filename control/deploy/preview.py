"""What reconcile would do now: read in AWS with your credentials, and nothing is done."""

from __future__ import annotations

from collections.abc import Callable

from aws_parallelizer.aws import clients, cloudformation, functions
from aws_parallelizer.core.errors import NotFound
from chalicelib import context, reconcile, settings
from chalicelib.actions import in_words


def preview(stack: str, *, job: str = "", say: Callable[[str], None]) -> None:
    """Say the plan of each job of the stack, or of the one named; raises NotFound."""
    outputs = cloudformation.outputs(clients.client("cloudformation"), stack=stack)
    client = clients.client("lambda")
    found = functions.environment(client, name=outputs["ReconcileFunction"])
    read = settings.read({**found, "AWS_REGION": client.meta.region_name})
    plans = reconcile.preview(context.connect(read))
    wanted = {name: plan for name, plan in plans.items() if job in ("", name)}
    if not wanted:
        raise NotFound(f"stack {stack} has no job {job}" if job else f"stack {stack} has no jobs")
    for name, plan in wanted.items():
        first, *actions = in_words(plan)
        say(f"{name}: {first}")
        for action in actions:
            say(action)
