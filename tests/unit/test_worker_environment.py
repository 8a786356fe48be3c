"""The environment zip: what is unpacked, and everything that is refused."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from aws_parallelizer.core.errors import EnvironmentRefused
from aws_parallelizer.worker import environment
from aws_parallelizer.worker.environment import Environment
from machines import zipped


def unpacked(
    archive: bytes, folder: Path, *, prefix: str = "", program: str = "run.sh"
) -> Environment:
    (folder / "env.zip").write_bytes(archive)
    return environment.unpack(
        folder / "env.zip",
        into=folder / "environment",
        prefix=prefix,
        program=program,
        version="v1",
    )


def with_member(name: str, body: str = "", *, mode: int = 0) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("run.sh", "#!/bin/sh\n")
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, body)
    return packed.getvalue()


def encrypted() -> bytes:
    # zipfile cannot encrypt; the flag in both headers of the member is all that a reader sees.
    body = bytearray(zipped({"run.sh": "#!/bin/sh\n"}))
    body[6] |= 1
    body[body.index(b"PK\x01\x02") + 8] |= 1
    return bytes(body)


def corrupt() -> bytes:
    return zipped({"run.sh": "#!/bin/sh\necho one\n"}).replace(b"echo one", b"echo two")


def test_the_program_is_made_executable_and_everything_read_only(tmp_path: Path) -> None:
    shown = unpacked(zipped({"run.sh": "#!/bin/sh\n", "lib/data": "x"}), tmp_path)
    assert shown == Environment(
        tmp_path / "environment", frozenset({"run.sh", "lib"}), "run.sh", "v1"
    )
    modes = {
        name: stat.S_IMODE((shown.folder / name).stat().st_mode)
        for name in ("run.sh", "lib", "lib/data")
    }
    assert modes == {"run.sh": 0o555, "lib": 0o555, "lib/data": 0o444}


def test_the_prefix_is_the_folder_that_holds_the_program(tmp_path: Path) -> None:
    shown = unpacked(zipped({"env/run.sh": "", "other": ""}), tmp_path, prefix="env")
    assert shown.folder == tmp_path / "environment" / "env"
    assert shown.names == {"run.sh"}


def test_an_executable_bit_of_the_zip_stays(tmp_path: Path) -> None:
    shown = unpacked(with_member("tool", mode=stat.S_IFREG | 0o755), tmp_path)
    assert os.access(shown.folder / "tool", os.X_OK)


def test_a_link_inside_the_zip_is_a_link(tmp_path: Path) -> None:
    shown = unpacked(with_member("alias", "run.sh", mode=stat.S_IFLNK | 0o777), tmp_path)
    assert (shown.folder / "alias").readlink() == Path("run.sh")


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        (lambda: b"", "broken"),
        (lambda: b"no zip at all", "broken"),
        (corrupt, "broken"),
        (encrypted, "encrypted"),
        (lambda: with_member("../outside"), "outside its folder"),
        (lambda: with_member("a/../../outside"), "outside its folder"),
        (lambda: with_member("/etc/outside"), "outside its folder"),
        (lambda: with_member("link", "/etc/passwd", mode=stat.S_IFLNK | 0o777), "leads outside"),
        (lambda: with_member("link", "../..", mode=stat.S_IFLNK | 0o777), "leads outside"),
        (lambda: with_member("run.sh/below"), "cannot be unpacked"),
        (lambda: zipped({"other.sh": ""}), "analysisProgram 'run.sh' is no file"),
        (lambda: zipped({"run.sh/inner": ""}), "analysisProgram 'run.sh' is no file"),
    ],
)
def test_a_zip_that_cannot_be_used_is_one_clear_error(
    tmp_path: Path, archive: Callable[[], bytes], said: str
) -> None:
    with pytest.raises(EnvironmentRefused, match=said):
        unpacked(archive(), tmp_path)
    assert not (tmp_path / "outside").exists()


def test_nothing_is_written_through_a_link_of_the_zip(tmp_path: Path) -> None:
    packed = io.BytesIO()
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, target in (("door", str(outside)), ("door/inner", "x")):
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, target)
    with pytest.raises(EnvironmentRefused, match="leads outside"):
        unpacked(packed.getvalue(), tmp_path)
    assert list(outside.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentRefused, match="environmentPrefix 'env'"):
        unpacked(zipped({"run.sh": ""}), tmp_path, prefix="env")


def test_a_read_only_environment_can_be_removed(tmp_path: Path) -> None:
    shown = unpacked(zipped({"run.sh": "", "deep/er/file": ""}), tmp_path)
    environment.remove(shown.folder)
    assert not shown.folder.exists()
