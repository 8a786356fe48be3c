"""doctor on buckets and the environment zip, which it reads by parts."""

from __future__ import annotations

import io
import re
import stat
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_parallelizer.aws import remote_zip
from aws_parallelizer.cli.doctor import storage
from aws_parallelizer.cli.doctor.finding import Finding, Verdict
from aws_parallelizer.core.errors import NotFound, ParallelizerError

SCRIPT = b"#!/bin/sh\necho\n"
ARM = b"\x7fELF" + bytes(14) + (183).to_bytes(2, "little") + bytes(40)


def zipped(files: dict[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return written.getvalue()


class S3:
    """One object; counts what is fetched of it."""

    def __init__(self, body: bytes | None) -> None:
        self.body = body
        self.fetched = 0

    def head_object(self, **_: str) -> dict[str, Any]:
        if self.body is None:
            raise ClientError({"Error": {"Code": "404"}}, "HeadObject")
        return {"ContentLength": len(self.body), "ETag": '"e"'}

    def get_object(self, *, Range: str, IfMatch: str, **_: str) -> dict[str, Any]:  # noqa: N803
        assert IfMatch == '"e"'
        assert self.body is not None
        wanted = re.fullmatch(r"bytes=([0-9]+)-([0-9]+)", Range)
        assert wanted
        part = self.body[int(wanted[1]) : int(wanted[2]) + 1]
        self.fetched += len(part)
        return {"Body": io.BytesIO(part)}


def examined(files: dict[str, bytes], *, prefix: str = "", architecture: str = "") -> Finding:
    with remote_zip.opened(S3(zipped(files)), "b", "e.zip") as archive:
        members = archive.infolist()
        entry = storage.entry_of(members, prefix=prefix, program="run.sh")
        found = storage.Program(entry, archive.read(entry)) if entry else None
    return storage.environment("e.zip", members, found, wanted="run.sh", architecture=architecture)


def test_a_large_zip_is_looked_into_without_fetching_it() -> None:
    s3 = S3(zipped({"run.sh": SCRIPT, "model": bytes(8_000_000), "z/last": b"x"}))
    with remote_zip.opened(s3, "b", "e.zip") as archive:
        assert archive.namelist() == ["run.sh", "model", "z/last"]
        assert archive.read("run.sh") == SCRIPT
    assert s3.fetched < 200_000


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("size", [0, 10, 131_072, 600_000])
def test_what_is_read_by_parts_is_what_is_there(compression: int, size: int) -> None:
    files = {"a": bytes(range(256)) * (size // 256), "b": b"end" * 1000}
    with remote_zip.opened(S3(zipped(files, compression=compression)), "b", "k") as archive:
        assert {name: archive.read(name) for name in files} == files


def test_a_read_of_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_zip, "_MOST_BYTES", 100)
    with pytest.raises(ParallelizerError, match="list of members"):
        remote_zip.opened(S3(zipped({f"name-{n}": b"" for n in range(50)})), "b", "k")


@pytest.mark.parametrize("body", [b"", b"no zip at all", zipped({"a": b""})[:-10]])
def test_what_is_no_zip_is_told_as_zipfile_tells_it(body: bytes) -> None:
    with pytest.raises(zipfile.BadZipFile):
        remote_zip.opened(S3(body), "b", "k")


def test_an_object_that_is_not_there_is_named() -> None:
    with pytest.raises(NotFound, match=r"no object e[.]zip in bucket b"):
        remote_zip.opened(S3(None), "b", "e.zip")


@pytest.mark.parametrize(
    ("files", "verdict", "says"),
    [
        ({"run.sh": SCRIPT}, Verdict.OK, "#!/bin/sh"),
        ({"./run.sh": SCRIPT}, Verdict.OK, "#!/bin/sh"),
        ({"run.sh": b"#!/bin/sh\r\necho\r\n"}, Verdict.FAILED, "Windows line ends"),
        ({"run.sh": b"echo\n"}, Verdict.WARNING, "neither"),
        ({"run.sh": b""}, Verdict.WARNING, "neither"),
        ({"run.sh": ARM}, Verdict.FAILED, "built for arm64"),
        ({"other": SCRIPT}, Verdict.FAILED, "no file run.sh; it has: other"),
        ({}, Verdict.FAILED, "it has: nothing"),
        ({"run.sh/": b""}, Verdict.FAILED, "it has: nothing"),
        ({"run.sh": SCRIPT, "../up": b""}, Verdict.FAILED, "outside its folder"),
        ({"run.sh": SCRIPT, "/etc/passwd": b""}, Verdict.FAILED, "outside its folder"),
    ],
)
def test_the_zip_is_to_be_one_that_workers_take(
    files: dict[str, bytes], verdict: Verdict, says: str
) -> None:
    found = examined(files, architecture="x86_64")
    assert found.verdict is verdict
    assert says in found.cause


def test_the_program_is_looked_for_in_the_folder_that_the_prefix_names() -> None:
    assert examined({"env/run.sh": SCRIPT}, prefix="env").verdict is Verdict.OK
    assert examined({"run.sh": SCRIPT}, prefix="env").verdict is Verdict.FAILED


def test_an_encrypted_member_is_refused_as_the_worker_would() -> None:
    entry = zipfile.ZipInfo("run.sh")
    entry.flag_bits |= 0x1
    found = storage.environment("e", [entry], None, wanted="run.sh", architecture="")
    assert found.verdict is Verdict.FAILED
    assert "encrypted" in found.cause


def test_the_executable_bit_is_noted() -> None:
    entry = zipfile.ZipInfo("run.sh")
    for mode, noted in ((0o755, False), (0o644, True)):
        entry.external_attr = (stat.S_IFREG | mode) << 16
        program = storage.Program(entry, SCRIPT)
        found = storage.environment("e", [entry], program, wanted="run.sh", architecture="")
        assert found.verdict is Verdict.OK
        assert ("sets its executable bit" in found.cause) == noted


@pytest.mark.parametrize(
    ("name", "region", "verdict"),
    [
        ("own", "us-east-1", Verdict.OK),
        ("own", "", Verdict.OK),
        ("other", "us-east-1", Verdict.WARNING),
        ("own", "eu-west-3", Verdict.FAILED),
    ],
)
def test_a_bucket_is_to_be_in_the_stacks_region_and_allowed_to_its_roles(
    name: str, region: str, verdict: Verdict
) -> None:
    found = storage.bucket("input bucket", name, region, region="us-east-1", stacks="own")
    assert found.verdict is verdict
