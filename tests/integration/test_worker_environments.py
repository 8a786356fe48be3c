"""Environments that are broken, huge, or replaced under a worker; user data of all kinds."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Callable

import pytest

from aws_parallelizer.core.outcome import State
from fakes.metadata import Metadata
from machines import Machine, Site, zipped
from waiting import until

RUN = "#!/bin/sh\necho %s > out; echo out\n"
MANY = 100_000


def with_member(name: str, body: str = "", *, mode: int = 0o644) -> bytes:
    packed = io.BytesIO(zipped({"run.sh": RUN % "x"}))
    with zipfile.ZipFile(packed, "a") as archive:
        member = zipfile.ZipInfo(name)
        member.external_attr = mode << 16
        archive.writestr(member, body)
    return packed.getvalue()


def corrupt() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("run.sh", RUN % "x" * 1000)
    body = bytearray(packed.getvalue())
    body[60:90] = bytes(30)
    return bytes(body)


def encrypted() -> bytes:
    body = bytearray(zipped({"run.sh": RUN % "x"}))
    body[6] |= 1  # the flag in the member's own header
    body[body.index(b"PK\x01\x02") + 8] |= 1  # and in the directory
    return bytes(body)


BROKEN = {
    "no zip": (b"no zip at all", "is broken"),
    "cut off": (zipped({"run.sh": RUN % "x"})[:-30], "is broken"),
    "corrupt": (corrupt(), "is broken"),
    "encrypted": (encrypted(), "is encrypted"),
    "above": (with_member("../outside"), "outside its folder"),
    "absolute": (with_member("/etc/outside"), "outside its folder"),
    "link": (with_member("l", "/etc/passwd", mode=stat.S_IFLNK | 0o777), "leads outside"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_an_environment_zip_broken_in_any_way_is_one_clear_error_and_no_instance_stays(
    endpoint: str, start: Callable[..., Machine], kind: str
) -> None:
    body, said = BROKEN[kind]
    site = Site(endpoint, files={})
    site.s3.put_object(Bucket=f"{site.name}-env", Key="env.zip", Body=body)
    site.put("data/a")
    machine = start(site)
    assert machine.wait() == 1
    assert machine.is_off
    [line] = machine.console.splitlines()
    assert said in line
    assert site.row("data/a").state == State.QUEUED


def test_an_environment_of_100000_members_is_unpacked_like_any_other(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    files = {"run.sh": RUN % "$(ls many | wc -l)"}
    site = Site(endpoint, files=files | {f"many/{number}": "" for number in range(MANY)})
    site.put("data/a")
    machine = start(site)
    assert machine.wait(240) == 0, machine.console
    assert site.output("results/out") == b"%d\n" % MANY


def test_a_worker_uses_one_version_of_its_environment_for_its_whole_life_and_says_which(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files={"run.sh": RUN % "one"}, idleTimeout=5)
    first = site.s3.head_object(Bucket=f"{site.name}-env", Key="env.zip")["ETag"].strip('"')
    site.put("data/a/1")
    machine = start(site)
    until(lambda: site.row("data/a/1").state == State.DONE, seconds=30)
    changed = zipped({"run.sh": RUN % "two"})
    second = site.s3.put_object(Bucket=f"{site.name}-env", Key="env.zip", Body=changed)["ETag"]
    site.put("data/b/1")
    assert machine.wait() == 0, machine.console
    site.put("data/c/1")
    assert start(site).wait() == 0
    versions = [site.row(f"data/{name}/1").environment for name in "abc"]
    assert versions == [first, first, second.strip('"')]
    assert [site.output(f"results/{name}/out") for name in "abc"] == [b"one\n", b"one\n", b"two\n"]


def test_user_data_that_is_missing_is_a_clear_error_and_no_instance_stays(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    about = {
        "meta-data/instance-id": b"i-0123456789abcdef0",
        "meta-data/placement/region": b"us-east-1",
    }
    metadata = Metadata(about)
    try:
        at = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.url}
        machine = start(Site(endpoint, files={}), settings=at)
        assert machine.wait() == 1
    finally:
        metadata.close()
    assert machine.is_off
    [line] = machine.console.splitlines()
    assert "environmentZip is missing" in line


def test_user_data_with_the_line_ends_of_windows_is_read_like_any_other(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files={"run.sh": RUN % "x"})
    site.put("data/a")
    told = site.user_data().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert b"\r\n" in told
    assert start(site, told=told).wait() == 0
    assert site.row("data/a").state == State.DONE


def test_a_metadata_service_that_is_slow_is_waited_for(
    endpoint: str, start: Callable[..., Machine]
) -> None:
    site = Site(endpoint, files={"run.sh": RUN % "x"})
    site.put("data/a")
    machine = start(site)
    machine.metadata.slow = [6, 1]  # seconds; the first one longer than a call waits
    assert machine.wait(60) == 0, machine.console
    assert site.row("data/a").state == State.DONE
    assert machine.metadata.slow == []
