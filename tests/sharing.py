"""How `make test` shares the tests among processes: a share is what one process does in one go.

A share is a file, so that what a module makes is made once; a few files that need the same costly
thing are one share, and a file that makes several is several. What takes longest is begun first, or
it would be waited for at the end.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

MOST = 6

# These are begun first, in this order; of those in one line, the files with the most tests.
_LAYERS = (
    "tests/image/test_built",
    "tests/acceptance/",
    "tests/image/test_roles",
    "tests/integration/test_local_qemu",
    "tests/image/",
    "tests/integration/test_destroy",
    "tests/integration/",
    "tests/contract/",
    "tests/unit/test_worker_lives",
    "tests/unit/test_fleet_interleavings",
    "tests/unit/",
)

# Shares that are more than one file, by how the names of these begin; the first that fits counts.
_LARGER = {
    "tests/image/test_built": "tests/image/test_built",  # one built image
    "tests/acceptance/test_demo": "",  # has a local cloud of its own
    "tests/acceptance/test_local_cloud_ends": "",  # likewise
    "tests/acceptance/": "tests/acceptance/",  # one local cloud
    "tests/unit/test_package": "tests/unit/test_package",  # one packaged app
}

# Files that make something costly for each parameter of theirs: each is a share.
_SMALLER = ("tests/image/test_roles",)

# What ends when the share does that it was begun for. Servers of the session would run on beside
# the shares that follow, and take processor time from them.
at_end: list[Callable[[], object]] = []


def processes() -> int:
    """Two more than there are processors: so many wait for machines, most of the time."""
    return min(len(os.sched_getaffinity(0)) + 2, MOST)


def share(nodeid: str) -> str:
    """The share that a test is in."""
    file = nodeid.partition("::")[0]
    if file.startswith(_SMALLER):
        return f"{file} {nodeid.partition('[')[2]}"
    larger = next((name for start, name in _LARGER.items() if file.startswith(start)), "")
    return larger or file


def end(item: pytest.Item) -> None:
    """Call what is `at_end` of the test's share, if this test is the last of it."""
    if not at_end:
        return
    later = item.session.items[item.session.items.index(item) + 1 :]
    if not any(share(other.nodeid) == share(item.nodeid) for other in later):
        while at_end:
            at_end.pop()()


def order(items: list[pytest.Item]) -> None:
    """Sort by layer, large shares first; within a share nothing moves."""
    sizes = Counter(share(item.nodeid) for item in items)

    def rank(item: pytest.Item) -> tuple[int, int, str]:
        name = share(item.nodeid)
        layer = next((n for n, layer in enumerate(_LAYERS) if name.startswith(layer)), len(_LAYERS))
        return layer, -sizes[name], name

    items.sort(key=rank)


def scheduler(config: pytest.Config, log: Any) -> Any:
    """pytest-xdist's scheduler of whole shares, in the order of the tests; unless --dist says."""
    if config.getvalue("dist") != "load":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Sharing(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return share(nodeid)

    config.option.loadscopereorder = False
    return Sharing(config, log)
