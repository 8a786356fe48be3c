"""Packaging: what is merged into Chalice's template meets what Chalice made, and all of it is valid
CloudFormation.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chalicelib import steps
from deploy import package as packaging
from deploy.package import TEMPLATE, PackagingFailed
from packages import FUNCTIONS, RESOURCES, Template, package_with


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """What Chalice makes of the app alone."""
    return package_with({}, tmp_path_factory.mktemp("bare"))


def strays(merged: Template, made: Template) -> Iterator[str]:
    """Names that are to be laid over something that is not there. What has a type is new."""
    for name, resource in merged["Resources"].items():
        if "Type" in resource:
            continue
        if name not in made["Resources"]:
            yield name
            continue
        present = made["Resources"][name]["Properties"].get("Events", {})
        for event, laid in resource["Properties"].get("Events", {}).items():
            if "Type" not in laid and event not in present:
                yield f"{name}.Events.{event}"


def test_what_is_merged_into_chalices_resources_bears_names_that_it_made(bare: Template) -> None:
    assert not list(strays(RESOURCES, bare))
    assert {name for name, one in RESOURCES["Resources"].items() if "Type" not in one} == FUNCTIONS
    new = {name for name, one in RESOURCES["Resources"].items() if "Type" in one}
    assert not new & set(bare["Resources"])


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (["Resources", "APIHandler"], "APIHandlr"),
        (["Resources", "Reconcile"], "reconcile"),
        (["Resources", "OnStep", "Properties", "Events", "OnStepSqsEventSource"], "OnStepSqs"),
    ],
)
def test_a_misspelt_name_in_what_is_merged_is_seen(
    bare: Template, path: list[str], wrong: str
) -> None:
    merged: dict[str, Any] = copy.deepcopy(RESOURCES)
    holder: dict[str, Any] = merged
    for name in path[:-1]:
        holder = holder[name]
    holder[wrong] = holder.pop(path[-1])
    assert [stray.rpartition(".")[2] for stray in strays(merged, bare)] == [wrong]


def test_answers_that_are_out_of_date_are_dropped_by_the_table_itself(template: Template) -> None:
    table = template["Resources"]["Ledger"]["Properties"]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}


def test_no_placeholder_is_left(template: Template) -> None:
    assert "set-by-resources" not in json.dumps(template)


def test_cfn_lint_finds_nothing(packaged: Path) -> None:
    # As a module it has no entry.
    command = "import sys; from cfnlint.runner import main; sys.exit(main())"
    arguments = ["--template", str(packaged / TEMPLATE), "--regions", "us-east-1"]
    ended = subprocess.run(
        [sys.executable, "-c", command, *arguments], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_packaging_that_fails_says_what_chalice_said(tmp_path: Path) -> None:
    broken = tmp_path / "control"
    packaging._copy(broken)
    (broken / "app.py").write_text("import nothing_of_this_name\n")
    with pytest.raises(PackagingFailed, match="nothing_of_this_name"):
        packaging._run_chalice(broken, tmp_path / "out")


def test_the_steps_that_functions_send_one_another_have_the_names_of_the_interface() -> None:
    assert msgspec.json.encode(steps.Reconcile()) == b'{"step":"reconcile"}'
    assert steps.decode('{"step": "purge", "job": "x"}') == steps.Purge(job="x")
