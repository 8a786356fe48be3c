"""The Chalice app as a zip and a template.

Chalice is run on a copy of the app: it writes into the folder that it packages, and two packagings
at once would meet there.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from aws_parallelizer.core.errors import ParallelizerError

STAGE = "api"  # Chalice's stage, and the last part of the API's base URL
TEMPLATE = "sam.json"
CODE = "deployment.zip"

_CONTROL = Path(__file__).resolve().parent.parent
_PACKED = (".chalice", "chalicelib", "vendor", "app.py", "requirements.txt", "resources.json")


class PackagingFailed(ParallelizerError):
    """Chalice could not package the app."""


def package(out: Path) -> None:
    """Write the template and the functions' code to the folder `out`; raises PackagingFailed."""
    with tempfile.TemporaryDirectory() as folder:
        app = Path(folder) / "app"
        _copy(app)
        _choose_architecture(app)
        _run_chalice(app, out.resolve())


def _copy(to: Path) -> None:
    to.mkdir()
    for name in _PACKED:
        source = _CONTROL / name
        if source.is_dir():
            skipped = shutil.ignore_patterns("__pycache__", "deployments")
            shutil.copytree(source, to / name, ignore=skipped)
        else:
            shutil.copy(source, to / name)


def _choose_architecture(app: Path) -> None:
    """This machine's, which Lambda has too: so that the same zip runs in the local cloud."""
    arm = platform.machine() in ("aarch64", "arm64")
    file = app / ".chalice" / "config.json"
    settings = json.loads(file.read_text())
    settings["lambda_architecture"] = "arm64" if arm else "x86_64"
    file.write_text(json.dumps(settings))


def _run_chalice(app: Path, out: Path) -> None:
    # -I: the copy alone counts, not where this process imports from. -B: Chalice imports the copy,
    # and what Python compiles in it would be packed, different each time.
    arguments = ["package", "--stage", STAGE, "--merge-template", "resources.json", str(out)]
    ended = subprocess.run(
        [
            sys.executable,
            "-IB",
            "-c",
            "import sys; from chalice.cli import main; sys.exit(main())",
            *arguments,
        ],
        cwd=app,
        env={**os.environ, "AWS_DEFAULT_REGION": "us-east-1"},  # asked for, and not used here
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise PackagingFailed(f"chalice package failed:\n{ended.stdout}{ended.stderr}".rstrip())
