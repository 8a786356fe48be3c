"""Object keys: as paths below a folder, as outputs of an input, as shards of the ledger."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path, PurePosixPath

from aws_parallelizer.core.errors import BadOutput, KeyRefused

SHARDS = 8  # a DynamoDB partition takes about 1,000 writes a second: 8,000 for one job
MAX_KEY_BYTES = 1024  # of an object, in S3
MAX_NAME_BYTES = 255  # of one path component on Linux
MAX_SUFFIX_BYTES = 32  # longer than any that tells a program what a file is

LOGS = ".logs/"  # below the output prefix, for attempts' full output; no output may lie there


def is_log(name: str) -> bool:
    """Whether `name`, a key below its job's output prefix, is an attempt's log and so no output."""
    return name.startswith(LOGS)


def shard(key: str) -> int:
    """Which of SHARDS a task's row lies in; the same for a key for ever."""
    return zlib.crc32(key.encode()) % SHARDS


def is_directory_marker(key: str, size: int) -> bool:
    """Whether the object only stands for a folder in S3 consoles: no bytes, and a key that ends in
    `/`.
    """
    return size == 0 and key.endswith("/")


def input_name(key: str) -> str:
    """The file name that a task's input gets in the scratch directory: the key's base name, or
    where no file can bear that, one made from the key, so that two such inputs differ.
    """
    name = key.rpartition("/")[2]
    if name not in ("", ".", "..") and "\0" not in name and len(name.encode()) <= MAX_NAME_BYTES:
        return name
    suffix = PurePosixPath(name.replace("\0", "")).suffix
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return f"input-{digest}{suffix if len(suffix.encode()) <= MAX_SUFFIX_BYTES else ''}"


def output_key(key: str, *, input_prefix: str, output_prefix: str, name: str) -> str:
    """`output_prefix` + the input key's directory below `input_prefix` + the output's name.

    Raises BadOutput where S3 could not hold the result.
    """
    inside = key.removeprefix(input_prefix)
    directory = inside.rpartition("/")[0]
    full = output_prefix + (directory.lstrip("/") + "/" if directory.strip("/") else "") + name
    try:
        length = len(full.encode())
    except UnicodeEncodeError as error:
        raise BadOutput(
            f"output name {name!r:.100} is not UTF-8, so no S3 key can hold it"
        ) from error
    if length > MAX_KEY_BYTES:
        raise BadOutput(f"output key {full!r:.100}... has {length} bytes; S3 takes 1,024")
    return full


def below(folder: Path, key: str) -> Path:
    """The path for `key` below `folder`; raises KeyRefused where it would lie elsewhere or cannot
    be a file.
    """
    parts = key.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise KeyRefused(
            f"key {key!r:.200} cannot be a file below {folder}: an empty, . or .. part"
        )
    if any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
        raise KeyRefused(f"key {key!r:.200} has a part of more than {MAX_NAME_BYTES} bytes")
    return folder.joinpath(*parts)
