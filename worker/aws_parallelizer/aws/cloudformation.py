"""Stacks: what a deployed one tells of itself, and change sets to deploy one."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from aws_parallelizer.core.errors import Conflict, NotFound


def outputs(client: Any, *, stack: str) -> dict[str, str]:
    """The stack's outputs by name; raises NotFound, and else what botocore raises."""
    found = Stacks(client).find(stack)
    if found is None:
        raise NotFound(f"There is no stack {stack} in {client.meta.region_name}.")
    return dict(found.outputs)


class Stack(NamedTuple):
    """A stack as CloudFormation describes it; `status` is its word."""

    id: str
    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]


class ChangeSet(NamedTuple):
    """A proposal: carried out only when it is executed."""

    stack: str
    name: str


class Resource(NamedTuple):
    """One resource of a stack: its type, and the name or id by which its service knows it."""

    type: str
    id: str


class Event(NamedTuple):
    """One line of a stack's history; `reason` is empty where nothing went wrong."""

    id: str
    resource: str
    status: str
    reason: str
    at: datetime


class Busy(Conflict):
    """Somebody else changes the stack at this moment, or has since it was looked at."""


class Stacks:
    """Proposes and carries out changes of stacks. Every method raises what botocore raises."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def find(self, stack: str) -> Stack | None:
        """The stack of a name or an id. A deleted one is found by its id alone, for a while."""
        try:
            [entry] = self._client.describe_stacks(StackName=stack)["Stacks"]
        except ClientError as error:
            # DescribeStacks has no code of its own for a stack that is not there.
            if _code(error) != "ValidationError":
                raise
            return None
        parameters = entry.get("Parameters", [])
        return Stack(
            id=str(entry["StackId"]),
            status=str(entry["StackStatus"]),
            parameters={each["ParameterKey"]: each["ParameterValue"] for each in parameters},
            outputs={each["OutputKey"]: each["OutputValue"] for each in entry.get("Outputs", [])},
        )

    def status(self, stack: str) -> str:
        """CloudFormation's word for the stack's state, empty where there is no such stack."""
        found = self.find(stack)
        return found.status if found else ""

    def resources(self, stack: str) -> dict[str, Resource]:
        """What the stack consists of now, by logical id; nothing for a stack that is not there."""
        pages = self._client.get_paginator("list_stack_resources").paginate(StackName=stack)
        try:
            return {
                entry["LogicalResourceId"]: Resource(
                    entry["ResourceType"], entry["PhysicalResourceId"]
                )
                for page in pages
                for entry in page["StackResourceSummaries"]
                if entry["ResourceStatus"] != "DELETE_COMPLETE" and entry.get("PhysicalResourceId")
            }
        except ClientError as error:
            if _code(error) != "ValidationError":
                raise
            return {}  # as in `find`

    def propose(
        self,
        change: ChangeSet,
        *,
        template: str,
        create: bool,
        parameters: Mapping[str, str],
        kept: Iterable[str],
    ) -> None:
        """Have a change set worked out. The `kept` parameters stay as the stack has them. Raises
        Busy.
        """
        with _alone(change.stack):
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
        """The change set's status and its reason; raises Busy."""
        with _alone(change.stack):
            answer = self._client.describe_change_set(
                StackName=change.stack, ChangeSetName=change.name
            )
        return answer["Status"], answer.get("StatusReason", "")

    def execute(self, change: ChangeSet) -> None:
        """Carry the change set out; `status` tells when it has ended. Raises Busy."""
        with _alone(change.stack):
            self._client.execute_change_set(StackName=change.stack, ChangeSetName=change.name)

    def discard(self, change: ChangeSet) -> None:
        """Drop a change set that is not to be carried out."""
        self._client.delete_change_set(StackName=change.stack, ChangeSetName=change.name)

    def delete(self, stack: str) -> None:
        """Delete a stack; `status` tells when it is gone."""
        self._client.delete_stack(StackName=stack)

    def events(self, stack: str, *, after: str = "") -> list[Event]:
        """The events of a stack since the one with the id `after`, oldest first."""
        pages = self._client.get_paginator("describe_stack_events").paginate(StackName=stack)
        newest_first = (_event(entry) for page in pages for entry in page["StackEvents"])
        since = itertools.takewhile(lambda event: event.id != after, newest_first)
        return list(since)[::-1]

    def last_event(self, stack: str) -> str:
        """The id of the stack's last event, empty where there is none."""
        answer = self._client.describe_stack_events(StackName=stack)["StackEvents"]
        return str(answer[0]["EventId"]) if answer else ""


def _event(entry: Mapping[str, Any]) -> Event:
    return Event(
        id=entry["EventId"],
        resource=entry["LogicalResourceId"],
        status=entry["ResourceStatus"],
        reason=entry.get("ResourceStatusReason", ""),
        at=entry["Timestamp"],
    )


# Another deploy carried its change set out, which drops or outdates all others of the stack.
_OVERTAKEN = ("ChangeSetNotFound", "ChangeSetNotFoundException", "InvalidChangeSetStatus")


@contextlib.contextmanager
def _alone(stack: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        message = str(error.response["Error"].get("Message", ""))
        under_way = _code(error) == "ValidationError" and "_IN_PROGRESS" in message
        if under_way or _code(error) in _OVERTAKEN:
            raise Busy(f"stack {stack} is being changed by somebody else: {message}") from error
        raise


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])
