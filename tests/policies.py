"""What the stack's roles allow, worked out from resources.json as IAM does: enough of it for the
calls of SQS, S3, DynamoDB, SSM and SNS.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from packages import RESOURCES, statements

REGION, ACCOUNT = "us-east-1", "000000000000"
_SAME = {  # where the permission is not named as the call
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "dynamodb:BatchExecuteStatement": "dynamodb:PartiQLUpdate",
}


class Ask(NamedTuple):
    """One permission that a call needs; `partitions` are the ledger's that it touches."""

    action: str
    resource: str
    partitions: frozenset[str] = frozenset()


def asks(service: str, operation: str, call: Mapping[str, Any]) -> Iterator[Ask]:
    """The permissions that a call needs."""
    action = f"{service}:{operation}".replace("MessageBatch", "Message")
    action = action.replace("MessageVisibilityBatch", "MessageVisibility")
    action = _SAME.get(action, action)
    here = f"arn:aws:{service}:{REGION}:{ACCOUNT}"
    match service:
        case "sqs":
            name = call.get("QueueName") or call["QueueUrl"].rpartition("/")[2]
            yield Ask(action, f"{here}:{name}")
        case "s3":
            key = f"/{call['Key']}" if "Key" in call else ""
            yield Ask(action, f"arn:aws:s3:::{call['Bucket']}{key}")
        case "ssm":
            yield Ask(action, f"{here}:parameter{call['Name']}")
        case "sns":
            yield Ask(action, call["TopicArn"])
        case "dynamodb":
            for table, partition in _touched(call):
                index = f"/index/{call['IndexName']}" if "IndexName" in call else ""
                yield Ask(action, f"{here}:table/{table}{index}", frozenset({partition} - {""}))
        case _:
            raise AssertionError(f"{service}:{operation} is not known here")


def _touched(call: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(table, partition) of each row of a DynamoDB call."""
    for table, wanted in call.get("RequestItems", {}).items():
        yield from ((table, key["pk"]["S"]) for key in wanted["Keys"])
    for statement in call.get("Statements", []):
        found = re.match(r'UPDATE "([^"]+)"', statement["Statement"])
        assert found, statement
        *_, partition, _, _ = statement["Parameters"]
        yield found[1], partition["S"]
    if "TableName" in call:
        row = call.get("Key") or call.get("Item") or {}
        yield call["TableName"], row.get("pk", {}).get("S", "")


@dataclass(frozen=True)
class Policies:
    """The roles of a stack; `arns` and `parameters` are what its resources and parameters are."""

    stack: str
    arns: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)

    def allows(self, role: str, ask: Ask) -> bool:
        """Whether a statement allows it and none forbids it."""
        effects = {
            statement["Effect"]
            for statement in statements(RESOURCES, role)
            if self._concerns(statement, ask)
        }
        return effects == {"Allow"}

    def _concerns(self, statement: Mapping[str, Any], ask: Ask) -> bool:
        leading = statement.get("Condition", {}).get("ForAllValues:StringEquals", {})
        partitions = leading.get("dynamodb:LeadingKeys")
        return (
            any(fnmatch.fnmatchcase(ask.action, one) for one in statement["Action"])
            and any(
                fnmatch.fnmatchcase(ask.resource, self._named(one)) for one in statement["Resource"]
            )
            and (partitions is None or ask.partitions <= set(partitions))
        )

    def _named(self, resource: Any) -> str:
        if resource == "*":
            return "*"
        if "Fn::GetAtt" in resource:
            return self.arns.get(resource["Fn::GetAtt"][0], "none")
        pattern, chosen = resource["Fn::Sub"], {}
        if isinstance(pattern, list):  # of a bucket that the stack makes, or one that was there
            pattern, given = pattern
            made = given["Name"]["Fn::If"][1]["Ref"]
            chosen = {"Name": self.arns[made].rpartition(":")[2]}
        names = {
            **chosen,
            **{f"{name}.Arn": arn for name, arn in self.arns.items()},
            **self.parameters,
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::AccountId": ACCOUNT,
            "AWS::StackName": self.stack,
        }
        return re.sub(r"\$\{([^}]+)}", lambda found: names[found[1]], pattern)
