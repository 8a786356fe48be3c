"""`make ami RELEASE=12`: an image of the older Debian, built, searched, and at work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import debian
from local import overlays
from local.images import ImageStore
from rehearsal.ami import OLDER, PROGRAM, Ami, Machines, make
from rehearsal.auditing import audit, places
from waiting import until

pytestmark = pytest.mark.skipif(
    not debian.asked(debian.ALSO_OLDER),
    reason=f"an image of Debian {OLDER} is built and booted with {debian.ALSO_OLDER}=1 only",
)

HOME = "us-east-1"


@pytest.fixture(scope="module")
def older(cloud: Machines) -> Ami:
    """Another parameter names it, so that jobs get it that ask for it."""
    made = make(cloud, release=OLDER, parameter="/older/image-id")
    assert made.made is not None, made.said
    return made


def test_the_tasks_of_a_job_are_done_by_an_image_of_the_older_debian_which_ends_its_instance(
    cloud: Machines, older: Ami, record_property: Any
) -> None:
    record_property(f"make ami RELEASE={OLDER} took", f"{older.seconds:.0f} s")
    cloud.create(
        "older", {"run.sh": PROGRAM}, imageID=older.images[HOME], maxInstances=1, idleTimeout=3
    )
    cloud.put_together("older", {f"{i}.txt": b"x" for i in range(6)})
    assert cloud.wait_until_ended("older", 6, seconds=180)["done"] == 6
    [instance] = {task["instance"] for task in cloud.tasks("older")}
    assert cloud.described(instance)["ImageId"] == older.images[HOME]
    told = {body for name, body in cloud.outputs("older").items() if name.endswith(".seen")}
    assert told == {f"parallelizer-program\n{OLDER}\nshut\n".encode()}
    until(lambda: cloud.state(instance) == "terminated", seconds=90, what="it powers itself off")
    assert cloud.described(instance)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    cloud.wait_until_gone("older")


def test_the_files_of_the_older_image_hold_no_secret_and_no_trace(
    older: Ami, tmp_path: Path
) -> None:
    store = ImageStore()
    image = store.find(older.images[HOME])
    assert image is not None
    with overlays.mounted(store.layers(image), tmp_path) as root:
        code, found = audit(str(root))
        assert list(root.glob("etc/ssh/ssh_host_*")) == []
    assert (code, places(found)) == (0, set())
