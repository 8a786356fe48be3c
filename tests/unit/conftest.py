"""What the tests of the package share: it is made once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.package import TEMPLATE, package
from packages import Template


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `make package` writes."""
    out = tmp_path_factory.mktemp("packaged")
    package(out)
    return out


@pytest.fixture(scope="session")
def template(packaged: Path) -> Template:
    found: Template = json.loads((packaged / TEMPLATE).read_text())
    return found
