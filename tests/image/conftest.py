"""The rehearsal of the image: all of `make ami` that can be tried without AWS.

Where a tool or a right is missing, every test is skipped, counted, with what is missing and how to
get it; where REHEARSAL_REQUIRED is set, as `make rehearse` and CI do, that is a failure.
"""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from image import wheelhouse
from rehearsal import needs
from rehearsal.wheels import Wheels


def _need(lacks: str) -> None:
    if not lacks:
        return
    sentence = f"the image's rehearsal needs what is missing here: {lacks}"
    if needs.required():
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


@pytest.fixture(scope="session")
def packer_here() -> None:
    """Packer, which validates also where it may not build."""
    _need(needs.missing_tools(needs.PACKER))


@pytest.fixture(scope="session")
def machines() -> None:
    """The tools and rights to make and boot machines."""
    _need(needs.missing_rights() or needs.missing_tools(needs.MACHINES))


@pytest.fixture(scope="session")
def wheelhouses(tmp_path_factory: pytest.TempPathFactory, machines: None) -> Wheels:
    """The worker's wheelhouse for a Debian release, built once."""
    folder = tmp_path_factory.mktemp("wheels")

    @functools.cache
    def built(release: str) -> Path:
        wheelhouse.build(release, "amd64", folder / release)
        return folder / release

    return built
