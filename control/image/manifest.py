"""What Packer writes of a build: the images' ids, one for each region."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image.saying import ImageFailed


@dataclass(frozen=True, kw_only=True)
class Built:
    """One build. `images` are ids by region, in the order of the regions' names."""

    images: Mapping[str, str]
    arch: str
    release: str
    version: str
    commit: str


def read(path: Path) -> Built:
    """The last build that the file tells of; raises ImageFailed."""
    try:
        told = json.loads(path.read_text())
        return _built(_last(told))
    except FileNotFoundError as error:
        raise ImageFailed(f"{path}: Packer has written no manifest; did a build end?") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ImageFailed(f"{path}: this is no manifest of an image ({error!r})") from error


def _last(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """The file grows with every build, and says which one is the last."""
    builds: list[Mapping[str, Any]] = told["builds"]
    [found] = [each for each in builds if each["packer_run_uuid"] == told["last_run_uuid"]]
    return found


def _built(build: Mapping[str, Any]) -> Built:
    pairs = (pair.split(":") for pair in sorted(build["artifact_id"].split(",")))
    custom = build["custom_data"]
    return Built(
        images={region: image for region, image in pairs},  # noqa: C416  two parts, no more
        arch=custom["arch"],
        release=custom["debian_release"],
        version=custom["worker_version"],
        commit=custom["git_commit"],
    )
