"""What every layer of test may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import emulator


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of a ministack that lives as long as the test session."""
    with emulator.ministack(tmp_path_factory.mktemp("ministack")) as url:
        yield url
