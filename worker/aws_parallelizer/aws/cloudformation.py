"""Stacks: what a deployed one tells of itself, and change sets to deploy one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from aws_parallelizer.core.errors import NotFound


def outputs(client: Any, *, stack: str) -> dict[str, str]:
    """The stack's outputs by name; raises NotFound, and else what botocore raises."""
    try:
        answer = client.describe_stacks(StackName=stack)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        # DescribeStacks has no code of its own for a stack that is not there.
        raise NotFound(f"There is no stack {stack} in {client.meta.region_name}.") from error
    return {
        entry["OutputKey"]: entry["OutputValue"] for entry in answer["Stacks"][0].get("Outputs", [])
    }


class ChangeSet(NamedTuple):
    """A proposal: carried out only when it is executed."""

    stack: str
    name: str


class Event(NamedTuple):
    """One line of a stack's history; `reason` is empty where nothing went wrong."""

    id: str
    resource: str
    status: str
    reason: str


class Stacks:
    """Proposes and carries out changes of stacks. Every method raises what botocore raises."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def status(self, stack: str) -> str:
        """CloudFormation's word for the stack's state, empty where there is no such stack."""
        try:
            answer = self._client.describe_stacks(StackName=stack)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            return ""  # as in `outputs`: there is none
        return str(answer["Stacks"][0]["StackStatus"])

    def parameters(self, stack: str) -> list[str]:
        """The names of the parameters that a stack was deployed with."""
        [described] = self._client.describe_stacks(StackName=stack)["Stacks"]
        return [entry["ParameterKey"] for entry in described.get("Parameters", [])]

    def propose(
        self,
        change: ChangeSet,
        *,
        template: str,
        create: bool,
        parameters: Mapping[str, str],
        kept: Iterable[str],
    ) -> None:
        """Have a change set worked out. The `kept` parameters stay as the stack has them."""
        self._client.create_change_set(
            StackName=change.stack,
            ChangeSetName=change.name,
            ChangeSetType="CREATE" if create else "UPDATE",
            TemplateBody=template,
            Parameters=[
                *({"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()),
                *({"ParameterKey": k, "UsePreviousValue": True} for k in kept),
            ],
            Capabilities=["CAPABILITY_IAM"],
        )

    def proposal(self, change: ChangeSet) -> tuple[str, str]:
        """The change set's status and its reason."""
        answer = self._client.describe_change_set(StackName=change.stack, ChangeSetName=change.name)
        return answer["Status"], answer.get("StatusReason", "")

    def execute(self, change: ChangeSet) -> None:
        """Carry the change set out; `status` tells when it has ended."""
        self._client.execute_change_set(StackName=change.stack, ChangeSetName=change.name)

    def discard(self, change: ChangeSet) -> None:
        """Drop a change set that is not to be carried out."""
        self._client.delete_change_set(StackName=change.stack, ChangeSetName=change.name)

    def delete(self, stack: str) -> None:
        """Delete a stack; `status` tells when it is gone."""
        self._client.delete_stack(StackName=stack)

    def events(self, stack: str) -> list[Event]:
        """The latest events of a stack, oldest first."""
        answer = self._client.describe_stack_events(StackName=stack)
        return [
            Event(
                id=entry["EventId"],
                resource=entry["LogicalResourceId"],
                status=entry["ResourceStatus"],
                reason=entry.get("ResourceStatusReason", ""),
            )
            for entry in reversed(answer["StackEvents"])
        ]
