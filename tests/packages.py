"""Looking into what Chalice packages: its template and its code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deploy import package as packaging

CONTROL = Path(packaging.__file__).parent.parent
RESOURCES: dict[str, Any] = json.loads((CONTROL / "resources.json").read_text())
FUNCTIONS = {"APIHandler", "OnUpload", "OnStep", "OnSpotEvent", "Reconcile"}
ROLES = {
    "APIHandler": "ApiRole",
    "OnUpload": "UploadRole",
    "OnStep": "ReconcileRole",
    "OnSpotEvent": "SpotEventRole",
    "Reconcile": "ReconcileRole",
}

Template = dict[str, Any]


def package_with(resources: Mapping[str, Any], folder: Path) -> Template:
    """The template that comes of the app and these resources in place of resources.json's."""
    app, out = folder / "control", folder / "out"
    packaging._copy(app)
    (app / "resources.json").write_text(json.dumps(resources))
    packaging._run_chalice(app, out)
    found: Template = json.loads((out / packaging.TEMPLATE).read_text())
    return found


def of_type(template: Template, kind: str) -> dict[str, Any]:
    """The properties of the resources of a type, by their names."""
    return {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def functions(template: Template) -> dict[str, Any]:
    return of_type(template, "AWS::Serverless::Function")


def statements(template: Template, role: str) -> Iterator[dict[str, Any]]:
    """A role's statements, `Action` and `Resource` always lists."""
    for policy in template["Resources"][role]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            yield {
                **statement,
                "Action": listed(statement["Action"]),
                "Resource": listed(statement["Resource"]),
            }


def actions(template: Template, role: str) -> set[str]:
    """All that a role allows."""
    allowed = (s for s in statements(template, role) if s["Effect"] == "Allow")
    return {action for statement in allowed for action in statement["Action"]}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
