"""The image's disk in an emulated machine: its own kernel, cloud-init, a job's task, the end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rehearsal.ami import Ami, Machines
from waiting import until

BOOT_SECONDS = 900  # 40 where nothing else runs; here there may be two processors and much else


@contextlib.contextmanager
def consoles_told(cloud: Machines) -> Iterator[None]:
    """Add to a failure what the machines said last."""
    try:
        yield
    except AssertionError as error:
        for instance in cloud.instances("disk"):
            error.add_note(cloud.console(instance["InstanceId"])[-3000:])
        raise


def test_the_disk_boots_as_on_ec2_does_a_jobs_task_and_ends_its_instance(
    emulated: Machines, ami: Ami, record_property: Any
) -> None:
    with consoles_told(emulated):
        counts = emulated.wait_until_ended("disk", 1, seconds=BOOT_SECONDS)
    assert counts["done"] == 1, emulated.tasks("disk")
    assert emulated.outputs("disk") == {"a.txt.seen": b"parallelizer-program\nDebian\naws\n"}
    [task] = emulated.tasks("disk")
    instance = task["instance"]
    described = emulated.described(instance)
    assert described["ImageId"] == ami.images["us-east-1"]
    took = datetime.fromisoformat(task["finished"]) - described["LaunchTime"]
    record_property("qemu, launch to the first task's end", f"{took.total_seconds():.0f} s")
    until(
        lambda: emulated.state(instance) == "terminated",
        seconds=BOOT_SECONDS,
        what="it powers itself off",
    )
    assert "the worker ends and shuts the instance down" in emulated.console(instance)
