"""One local cloud for all acceptance tests; each test has a job of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import sharing
from acceptance.cloud import Cloud


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    running = Cloud(tmp_path_factory.mktemp("cloud"))
    sharing.at_end.append(running.stop)
    try:
        yield running.ready()
    finally:
        running.stop()
