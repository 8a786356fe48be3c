"""Buckets, and the environment zip. Pure."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from aws_parallelizer.cli.doctor.finding import Finding, failed, not_checked, ok, warning
from aws_parallelizer.core.errors import EnvironmentRefused
from aws_parallelizer.worker.environment import check_member

ENVIRONMENT = "environment"
_KNOWN = 10  # names shown of what a zip has
_ELF = b"\x7fELF"
_MACHINES = {62: "x86_64", 183: "arm64"}  # e_machine of ELF, in EC2's words


class Program(NamedTuple):
    """The analysis program in the zip: its entry, and its first bytes."""

    entry: zipfile.ZipInfo
    head: bytes


def bucket(kind: str, name: str, found: str, *, region: str, stacks: str | None) -> Finding:
    """Whether a bucket fits; `found` is its region, empty where S3 does not tell, `stacks` the
    stack's bucket of that kind.
    """
    if found and found != region:
        cause = f"{name} is in {found}, and the stack in {region}: S3 tells no queue of another."
        return failed(kind, cause, f"Use a bucket in {region}.")
    if stacks and name != stacks:
        cause = f"{name} is there, and is not the stack's ({stacks}), whose roles may not use it."
        cure = (
            "Leave the parameter out, or give the stack's roles and its uploads queue the bucket."
        )
        return warning(kind, cause, cure)
    return ok(kind, name)


def entry_of(
    members: Sequence[zipfile.ZipInfo], *, prefix: str, program: str
) -> zipfile.ZipInfo | None:
    """The member that is the analysis program."""
    wanted = PurePosixPath(prefix, program)
    found = [m for m in members if PurePosixPath(m.filename) == wanted and not m.is_dir()]
    return found[-1] if found else None  # of two, the last is written over the first


def environment(
    key: str,
    members: Sequence[zipfile.ZipInfo],
    found: Program | None,
    *,
    wanted: str,
    architecture: str,
) -> Finding:
    """Whether workers will take the zip and can run the program in it.

    `wanted` is the program's path in the zip, `architecture` the image's, empty where unknown.
    """
    try:
        for member in members:
            check_member(member)
    except EnvironmentRefused as error:
        cure = "Zip it anew: `create --environment DIR` makes a zip that is taken."
        return failed(ENVIRONMENT, f"{key}: {error}.", cure)
    if found is None:
        names = sorted(m.filename for m in members if not m.is_dir())
        known = ", ".join(names[:_KNOWN]) or "nothing"
        cure = "Set analysisProgram and environmentPrefix to a file of it."
        return failed(ENVIRONMENT, f"{key} has no file {wanted}; it has: {known}.", cure)
    return _runs(found, told=f"{key}: {wanted}", architecture=architecture)


def _runs(program: Program, *, told: str, architecture: str) -> Finding:
    head = program.head
    if stat.S_ISLNK(program.entry.external_attr >> 16):
        return ok(ENVIRONMENT, f"{told} is a link")
    if head.startswith(b"#!"):
        return _interpreted(head.partition(b"\n")[0], program.entry, told=told)
    if head.startswith(_ELF):
        machine = _MACHINES.get(int.from_bytes(head[18:20], "little"), "another machine")
        if architecture and machine != architecture:
            cause = f"{told} is built for {machine}, and the image is {architecture}."
            return failed(ENVIRONMENT, cause, f"Build it for {architecture}, or set imageID.")
        return ok(ENVIRONMENT, f"{told}, an executable for {machine}{_mode(program.entry)}")
    cause = f"{told} begins with neither `#!` nor as an executable of Linux does."
    return warning(ENVIRONMENT, cause, "Begin a script with a line such as #!/bin/sh.")


def _interpreted(line: bytes, entry: zipfile.ZipInfo, *, told: str) -> Finding:
    if line.endswith(b"\r"):
        cause = f"{told} has Windows line ends: its first line names no program that is there."
        return failed(ENVIRONMENT, cause, "Save it with Unix line ends, and upload it again.")
    shown = line.decode(errors="replace").strip()
    return ok(ENVIRONMENT, f"{told}, {shown:.60}{_mode(entry)}")


def _mode(entry: zipfile.ZipInfo) -> str:
    executable = (entry.external_attr >> 16) & stat.S_IXUSR
    return "" if executable else "; the worker sets its executable bit"


def no_environment(*, given: bool) -> Finding:
    """There is nothing to look at yet; `given` = a job or a parameter file is."""
    why = "no environmentZip is given; `create --environment DIR` stores one"
    return not_checked(ENVIRONMENT, why if given else "no job is given: see --job, --parameters")
