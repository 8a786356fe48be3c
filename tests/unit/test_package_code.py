"""The packaged code: what is in the zip, for which machine it is built, how it starts."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deploy.package import CODE
from packages import CONTROL, Template, functions

LARGEST_BYTES = 3_000_000
CPU_SECONDS = 0.5  # of importing the app, without what boto3 takes
TRIGGERS = {"schedule", "on_sqs_message", "lambda_function", "route"}


@pytest.fixture(scope="module")
def names(packaged: Path) -> list[str]:
    return zipfile.ZipFile(packaged / CODE).namelist()


@pytest.fixture(scope="module")
def unpacked(packaged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    zipfile.ZipFile(packaged / CODE).extractall(folder)
    return folder


def run(program: str) -> str:
    """What a Python that sees no checkout and writes no bytecode prints, as in Lambda."""
    ended = subprocess.run(
        [sys.executable, "-IB", "-c", program],
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_code_holds_the_library_and_what_it_needs_and_not_the_laptops_side(
    names: list[str],
) -> None:
    assert {"app.py", "chalicelib/api.py", "aws_parallelizer/core/task.py"} <= set(names)
    assert any(name.startswith("msgspec/") for name in names)
    unwanted = (
        "deploy/", "local/", "boto3/", "botocore/", "obstore/", "typer/", "rich/", "click/",
        "chalice/cli/", "chalice/deploy/", "tests/", ".chalice/",
    )  # fmt: skip
    assert [name for name in names if name.startswith(unwanted)] == []
    assert [name for name in names if name.endswith(".pyc")] == []


def test_the_code_is_small(packaged: Path) -> None:
    size = (packaged / CODE).stat().st_size
    print(f"the functions' code is {size:,} bytes")
    assert size < LARGEST_BYTES


def test_the_wheels_are_built_for_the_functions_python_and_processor(
    names: list[str], template: Template
) -> None:
    found = functions(template).values()
    [architecture] = {one for function in found for one in function["Architectures"]}
    [runtime] = {function["Runtime"] for function in found}
    python = "cpython-" + runtime.removeprefix("python").replace(".", "")
    machine = {"x86_64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[architecture]
    built = [name for name in names if name.endswith((".so", ".pyd", ".dylib"))]
    assert any(name.startswith("msgspec/") for name in built)
    assert [name for name in built if not name.endswith(f".{python}-{machine}.so")] == []


def test_no_function_is_started_by_s3_itself(template: Template) -> None:
    # Chalice cannot package such a handler, and an event without Records would end it.
    tree = ast.parse((CONTROL / "app.py").read_text())
    called = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "app"
    }
    assert called & {"on_s3_event", "on_sns_message", "on_kinesis_record"} == set()
    assert called >= TRIGGERS
    kinds = {
        event["Type"]
        for one in functions(template).values()
        for event in one.get("Events", {}).values()
    }
    assert kinds == {"SQS", "Schedule", "EventBridgeRule"}


def test_the_app_imports_without_aws_and_without_what_lambda_lacks(unpacked: Path) -> None:
    run(
        "import sys\n"
        "for name in ('obstore', 'typer', 'rich', 'local', 'deploy'):\n"
        "    sys.modules[name] = None\n"
        f"sys.path.insert(0, {str(unpacked)!r})\n"
        "import app\n"
        f"assert app.__file__.startswith({str(unpacked)!r})\n"
        "assert app.on_upload and app.on_step and app.on_spot_event and app.reconcile\n"
    )


def test_the_app_starts_within_its_share_of_cpu(unpacked: Path) -> None:
    program = (
        "import sys, time\n"
        "import boto3, botocore.session\n"
        f"sys.path.insert(0, {str(unpacked)!r})\n"
        "began = time.process_time()\n"
        "import app\n"
        "print(time.process_time() - began)\n"
    )
    best = min(float(run(program)) for _ in range(3))
    print(f"a cold import of the app takes {best:.2f} s of CPU beyond boto3's own")
    assert best < CPU_SECONDS
