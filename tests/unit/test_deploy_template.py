"""What the deploy tools know of the template without packaging it."""

from __future__ import annotations

import json
from pathlib import Path

from deploy import package as packaging
from deploy.existing import PARAMETERS
from deploy.package import TEMPLATE, package

RESOURCES = json.loads((Path(packaging.__file__).parent.parent / "resources.json").read_text())
MOST_BYTES = 51_200  # CloudFormation's limit of a template that is sent with the call


def test_the_template_fits_in_a_call(tmp_path: Path) -> None:
    package(tmp_path)
    template = json.loads((tmp_path / TEMPLATE).read_text())
    assert len(json.dumps(template, separators=(",", ":"))) < MOST_BYTES


def test_the_names_of_functions_log_groups_begin_as_they_are_looked_for() -> None:
    groups = [
        resource["Properties"]["LogGroupName"]["Fn::Sub"]
        for name, resource in RESOURCES["Resources"].items()
        if resource.get("Type") == "AWS::Logs::LogGroup" and name != "WorkerLogs"
    ]
    assert len(groups) >= 4
    assert all(name.startswith("/aws/lambda/${AWS::StackName}/") for name in groups)


def test_every_parameter_of_the_stack_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "deploying.md").read_text()
    assert {name for name in RESOURCES["Parameters"] if f"`{name}`" not in page} == set()


def test_every_bucket_that_the_stack_makes_may_be_one_that_is_there_and_survives_the_stack() -> (
    None
):
    buckets = {
        name: resource
        for name, resource in RESOURCES["Resources"].items()
        if resource.get("Type") == "AWS::S3::Bucket"
    }
    assert {f"{name}Name" for name in buckets} == set(PARAMETERS)
    for name, bucket in buckets.items():
        condition = RESOURCES["Conditions"][bucket["Condition"]]
        assert condition == {"Fn::Equals": [{"Ref": f"{name}Name"}, ""]}
        assert bucket["DeletionPolicy"] == "RetainExceptOnCreate"
        assert {"Key": "parallelizer:stack", "Value": {"Ref": "AWS::StackName"}} in (
            bucket["Properties"]["Tags"]
        )


def test_a_bucket_is_named_only_where_it_is_sure_to_be_there() -> None:
    """`Ref` and `GetAtt` of a bucket that a condition leaves out would break the stack."""
    text = json.dumps(RESOURCES)
    for name in (each.removesuffix("Name") for each in PARAMETERS):
        both = json.dumps([f"Makes{name}", {"Ref": name}, {"Ref": f"{name}Name"}])
        assert text.count(json.dumps({"Ref": name})) == text.count(both)
        assert f"${{{name}." not in text
        assert json.dumps([name, "Arn"]) not in text
