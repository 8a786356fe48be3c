"""What a deployed stack tells of itself: its outputs."""

from __future__ import annotations

from typing import Any

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
