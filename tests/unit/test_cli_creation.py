"""What `create` sends, and the environment that it packs."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from aws_parallelizer.cli import creation, environments
from aws_parallelizer.core.errors import EnvironmentRefused, ParameterError

FILE = "environmentZip=e.zip\nanalysisProgram=run.sh\nmaxInstances=3\n"


def environment(folder: Path) -> Path:
    (folder / "lib").mkdir(parents=True)
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o700)
    (folder / "lib" / "é.txt").write_text("data")
    return folder


def test_only_what_was_given_is_sent_and_settings_go_before_the_file() -> None:
    wanted = creation.read(FILE, settings=["maxInstances=5", "budget=2.5"], environment=None)
    assert wanted.given == {
        "environmentZip": "e.zip",
        "analysisProgram": "run.sh",
        "maxInstances": 5,
        "budget": 2.5,
    }


def test_defect_14_keys_of_the_java_file_are_dropped_with_a_warning_and_never_sent() -> None:
    wanted = creation.read(FILE + "accessKey=AKIA\nsecretKey=hush\n", settings=[], environment=None)
    assert len(wanted.warnings) == 2
    assert "hush" not in str(wanted)
    assert "AKIA" not in str(wanted)


def test_all_errors_of_file_and_settings_come_at_once() -> None:
    with pytest.raises(ParameterError) as caught:
        creation.read("maxInstance=3\nnonsense\n", settings=["timeout=x", "y"], environment=None)
    for told in ("maxInstances", "Line 2", "timeout", "--set 'y'", "environmentZip", "analysisPro"):
        assert told in str(caught.value)


def test_a_parameter_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "parameters.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ParameterError, match="not UTF-8"):
        creation.text(tmp_path / "parameters.txt")


def test_one_environment_is_one_zip_whenever_and_wherever_it_is_packed(tmp_path: Path) -> None:
    first, second = environment(tmp_path / "a"), environment(tmp_path / "b")
    os.utime(second / "run.sh", (1e9, 1e9))
    with environments.packed(first) as one, environments.packed(second) as other:
        assert one
        assert other
        assert one.key == other.key
        assert one.path.read_bytes() == other.path.read_bytes()
    (second / "lib" / "é.txt").write_text("changed")
    with environments.packed(second) as changed:
        assert changed
        assert changed.key != one.key


def test_the_program_stays_executable_in_the_zip(tmp_path: Path) -> None:
    with environments.packed(environment(tmp_path / "a")) as packed:
        assert packed
        with zipfile.ZipFile(packed.path) as archive:
            modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
    assert modes == {"run.sh": 0o100755, "lib/é.txt": 0o100644}


def test_a_link_inside_is_packed_as_the_file_and_one_that_leads_outside_is_refused(
    tmp_path: Path,
) -> None:
    folder = environment(tmp_path / "a")
    (folder / "link").symlink_to("lib/é.txt")
    with environments.packed(folder) as packed:
        assert packed
        with zipfile.ZipFile(packed.path) as archive:
            assert archive.read("link") == b"data"
    (folder / "passwords").symlink_to("/etc/passwd")
    with (
        pytest.raises(EnvironmentRefused, match="outside the environment"),
        environments.packed(folder),
    ):
        pass


def test_a_program_that_the_environment_does_not_have_is_refused_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    with environments.packed(environment(tmp_path / "a")) as packed:
        creation.read("analysisProgram=run.sh", settings=[], environment=packed)
        with pytest.raises(EnvironmentRefused, match=r"has no file other\.sh"):
            creation.read("analysisProgram=other.sh", settings=[], environment=packed)


def test_a_file_that_is_no_zip_is_no_environment(tmp_path: Path) -> None:
    (tmp_path / "e.zip").write_text("no")
    with (
        pytest.raises(EnvironmentRefused, match="neither a directory nor a zip"),
        environments.packed(tmp_path / "e.zip"),
    ):
        pass
