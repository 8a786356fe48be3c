"""Machine images of the account, and the snapshots that they are made of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

TAG = "parallelizer:image"  # on images and snapshots that `make ami` made
OURS = "worker"
_OURS = {"Name": f"tag:{TAG}", "Values": [OURS]}


class OwnImage(NamedTuple):
    """An image that bears our tag. `snapshots` are those of its disks; `locked` where EC2 is told
    to let nobody remove it.
    """

    id: str
    name: str
    created: datetime
    state: str
    tags: Mapping[str, str]
    snapshots: tuple[str, ...]
    locked: bool = False


class OwnSnapshot(NamedTuple):
    """A snapshot that bears our tag."""

    id: str
    started: datetime


class Images:
    """The gateway. Every method raises botocore's ClientError or BotoCoreError."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def own(self) -> list[OwnImage]:
        """The account's images in this region that bear our tag, deprecated and disabled too."""
        pages = self._client.get_paginator("describe_images").paginate(
            Owners=["self"], Filters=[_OURS], IncludeDeprecated=True, IncludeDisabled=True
        )
        return [_image(entry) for page in pages for entry in page["Images"]]

    def own_snapshots(self) -> list[OwnSnapshot]:
        """The account's snapshots in this region that bear our tag."""
        pages = self._client.get_paginator("describe_snapshots").paginate(
            OwnerIds=["self"], Filters=[_OURS]
        )
        return [
            OwnSnapshot(entry["SnapshotId"], entry["StartTime"])
            for page in pages
            for entry in page["Snapshots"]
        ]

    def used_snapshots(self) -> set[str]:
        """The snapshots of all images of the account in this region, whosoever made them."""
        pages = self._client.get_paginator("describe_images").paginate(
            Owners=["self"], IncludeDeprecated=True, IncludeDisabled=True
        )
        return {id_ for page in pages for entry in page["Images"] for id_ in _snapshots(entry)}

    def launchable_by(self, image: str) -> list[str]:
        """The accounts and groups besides the owner that may launch it."""
        answer = self._client.describe_image_attribute(ImageId=image, Attribute="launchPermission")
        return [next(iter(each.values())) for each in answer.get("LaunchPermissions", ())]

    def has_default_vpc(self) -> bool:
        """Whether the region has a default VPC, for who names no subnet."""
        default = [{"Name": "is-default", "Values": ["true"]}]
        return bool(self._client.describe_vpcs(Filters=default)["Vpcs"])

    def deregister(self, image: str) -> None:
        """Take the image away; its snapshots stay. Harmless where it is gone."""
        try:
            self._client.deregister_image(ImageId=image)
        except ClientError as error:
            if not _code(error).startswith("InvalidAMIID."):
                raise
            # Another run came first.

    def delete_snapshot(self, snapshot: str) -> bool:
        """Whether it is gone; an image that is not ours may be made of it too, then it stays."""
        try:
            self._client.delete_snapshot(SnapshotId=snapshot)
        except ClientError as error:
            if _code(error) == "InvalidSnapshot.InUse":
                return False
            if _code(error) != "InvalidSnapshot.NotFound":
                raise
        return True


def _image(entry: Mapping[str, Any]) -> OwnImage:
    return OwnImage(
        id=entry["ImageId"],
        name=entry.get("Name", ""),
        created=datetime.fromisoformat(entry["CreationDate"]),
        state=entry["State"],
        tags={tag["Key"]: tag["Value"] for tag in entry.get("Tags", ())},
        snapshots=tuple(_snapshots(entry)),
        locked=entry.get("DeregistrationProtection", "disabled") != "disabled",
    )


def _snapshots(entry: Mapping[str, Any]) -> list[str]:
    disks = (each.get("Ebs", {}) for each in entry.get("BlockDeviceMappings", ()))
    return [disk["SnapshotId"] for disk in disks if disk.get("SnapshotId")]


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])
