"""Writes the tables of the documentation that the code knows better: `python docs/tables.py`.

A test fails while a document says something else than the code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from aws_parallelizer.core import outcome, parameters, values
from aws_parallelizer.core.parameters import NAMES, SPECS, Parameters

DOCS = Path(__file__).parent
RESOURCES = DOCS.parent / "control" / "resources.json"

# Why each statement of each role in resources.json is there.
WHY = {
    "ApiRole": {
        "Logs": "write its log",
        "Ledger": "jobs, tasks, fleets and answers; a deleted job's row is removed",
        "QueuesOfJobs": "make a job's queues, find them again, count their messages",
        "Steps": "nudge reconcile, begin work that goes on in the background",
        "WhatIsThere": "refuse a job whose buckets are not there",
        "Links": "links to inputs, outputs and logs, good for an hour",
    },
    "UploadRole": {
        "Logs": "write its log",
        "Ledger": "write new tasks, read jobs",
        "Uploads": "Lambda reads the uploads queue in its name; poison is put back at once",
        "QueuesOfJobsAndSteps": "send tasks to the jobs' queues, nudge reconcile",
    },
    "ReconcileRole": {
        "Logs": "write its logs",
        "Ledger": "jobs, tasks, fleets, launches, marks, its lease; rows are purged with their job",
        "QueuesOfJobs": "count and send anew, drain dead letters, remove a deleted job's queues",
        "Steps": "begin work that goes on in the background; Lambda reads the queue in its name",
        "CountUploads": "no job is over while uploads wait",
        "WhatIsThere": "list what is to be enqueued, look for the environment",
        "SeeTheFleet": "EC2 lets nobody narrow what may be described",
        "LaunchTagged": "launch only what bears the stack's tag from its first moment",
        "LaunchWith": "what an instance is launched with",
        "LaunchFromOwnTemplates": "the launch templates of jobs, its own ones only",
        "TagAtLaunch": "tags come with the launch, and with nothing else",
        "OwnMachinesOnly": "start, stop, terminate, cancel what bears the stack's tag",
        "AdoptUntagged": "replacements that EC2 launches by itself bear no tag",
        "GiveTheWorkersTheirRole": "an instance is given the worker's role",
        "TellPeople": "a job's `notify`: any topic of this account and region",
        "Image": "the id of the last image",
    },
    "SpotEventRole": {
        "Logs": "write its log",
        "MarksAndTheNudge": "mark instances, give one nudge in its span",
        "Steps": "nudge reconcile",
        "DeadLetters": "Lambda puts there, in its name, what failed three times",
    },
    "WorkerRole": {
        "Logs": "its metrics, and why it ended",
        "Ledger": "read and write tasks, say that it lives",
        "QueuesOfJobs": "lease messages, renew, delete",
        "TellMissingFromForbidden": "without it S3 answers 403 for what is not there",
        "Inputs": "read inputs and the environment",
        "Outputs": "write outputs and logs, and read back what it wrote",
        "FindOwnRequest": "its spot request is known to EC2 alone",
        "CancelOwnRequest": "before a persistent instance shuts down",
    },
}


def parameter_table() -> str:
    """Every parameter with its default and meaning."""
    defaults = {
        field.name: field.default
        for field in msgspec.structs.fields(Parameters)
        if not field.required
    }

    def default(field: str) -> str:
        if field in parameters.REQUIRED:
            return "required"
        value = defaults[field]
        return f"`{values.show(value)}`" if value not in (None, "") else ""

    rows = ((f"`{name}`", default(field), SPECS[field].meaning) for name, field in NAMES.items())
    return _table(("name", "default", "meaning"), rows)


def outcome_table() -> str:
    """Every outcome of an attempt, from the table in the module that declares them."""
    rows = re.findall(r"^([a-z-]+) +(yes|no) +(.+)$", str(outcome.__doc__), re.MULTILINE)
    return _table(("outcome", "counted", "meaning"), ((f"`{n}`", c, m) for n, c, m in rows))


def permission_table() -> str:
    """Every statement of every role that the stack makes."""
    names = ("role", "may", "on", "only if", "why")
    resources = json.loads(RESOURCES.read_text())["Resources"]
    roles = {name: one for name, one in resources.items() if one.get("Type") == "AWS::IAM::Role"}
    return _table(names, (row for name, role in roles.items() for row in _role(name, role)))


def _role(name: str, role: dict[str, Any]) -> Iterator[Sequence[str]]:
    for policy in role["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            never = "never " if statement["Effect"] == "Deny" else ""
            yield (
                f"`{name}`",
                never + _code(_listed(statement["Action"])),
                _code(map(_resource, _listed(statement["Resource"]))),
                "; ".join(_conditions(statement.get("Condition", {}))),
                WHY[name][statement["Sid"]],
            )


def _resource(value: Any) -> str:
    """A resource without the parts of its ARN that are always this account and region."""
    if isinstance(value, dict) and "Fn::GetAtt" in value:
        return str(value["Fn::GetAtt"][0])
    if isinstance(value, dict) and isinstance(value["Fn::Sub"], list):  # a bucket, or yours
        pattern, names = value["Fn::Sub"]
        return str(names["Name"]["Fn::If"][1]["Ref"]) + pattern.partition("${Name}")[2]
    text = str(value["Fn::Sub"] if isinstance(value, dict) else value)
    text = re.sub(
        r"^arn:\$\{AWS::Partition}:(\w+):\$\{AWS::Region}:(\$\{AWS::AccountId})?:", r"\1 ", text
    )
    text = re.sub(r"\$\{(\w+)\.Arn}", r"\1", text)
    return re.sub(r"\$\{(\w+)}", r"<\1>", text.replace("${AWS::StackName}", "<stack>"))


def _conditions(conditions: dict[str, Any]) -> Iterator[str]:
    for operator, keys in conditions.items():
        for key, value in keys.items():
            if operator == "Null":
                yield f"there is no `{key}`"
            else:
                told = [
                    _resource(one) if isinstance(one, str) else "<stack>" for one in _listed(value)
                ]
                yield f"`{key}` is {' or '.join(f'`{one}`' for one in told)}"


def _code(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


TABLES: dict[str, Callable[[], str]] = {
    "parameters.md": parameter_table,
    "outcomes.md": outcome_table,
    "permissions.md": permission_table,
}


def filled(text: str, table: str) -> str:
    """The document with its table, the lines that begin with `|`, as the code has it."""
    return re.sub(r"(^\|.*\n)+", lambda _: table, text, count=1, flags=re.MULTILINE)


def main() -> None:
    """Write them all."""
    for name, table in TABLES.items():
        path = DOCS / name
        path.write_text(filled(path.read_text(), table()))


if __name__ == "__main__":
    main()
