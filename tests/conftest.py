"""What every layer of test may use."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import hypothesis
import pytest

import emulator
import sharing

# No deadlines, and nothing is too slow: how long an example takes depends on what else the machine
# does. The same examples in each run, so that none fails by chance; the thorough run looks further.
hypothesis.settings.register_profile(
    "quick",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile("thorough", max_examples=1000, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


# A shell ignores Ctrl-C for what it runs in the background, and so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# `su` leaves them out of the PATH, and tests with machines run mke2fs and chroot.
os.environ["PATH"] += f"{os.pathsep}/usr/sbin{os.pathsep}/sbin"


# Else each session would read the megabytes anew in which botocore describes AWS.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    return sharing.processes()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return sharing.scheduler(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        sharing.order(items)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    sharing.end(item)


@pytest.fixture
def everyones() -> Iterator[Path]:
    """A folder that programs may write to whatever user they run as; tmp_path is shut to others."""
    folder = Path(tempfile.mkdtemp(prefix="parallelizer-test-", dir="/var/tmp"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of a ministack that lives as long as the test session."""
    with emulator.ministack(tmp_path_factory.mktemp("ministack")) as url:
        yield url
