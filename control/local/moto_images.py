"""Images in moto's EC2: made of real disks, and described with what was asked for them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import Ami
from moto.ec2.responses import EC2Response

from local.cloud import Cloud
from local.images import Image, ImageStore
from local.launching import Specification, tag_specifications, tags_of
from local.machine import State
from local.moto_rows import DEFAULT_DISK_GIB, plain
from local.roots import ARCHITECTURES
from local.volumes import Volume

log = logging.getLogger(__name__)

DEBIAN = "136693071363"  # the account that publishes Debian's images
ROOT_DEVICE = "/dev/xvda"
SHOWN: Mapping[str, Any] = {
    "root_device_type": "ebs",
    "root_device_name": ROOT_DEVICE,
    "virtualization_type": "hvm",
    "hypervisor": "xen",
    "architecture": "x86_64",
}


class Described:
    """moto's image, with the disk that it really has."""

    def __init__(self, image: Any) -> None:
        self._image = image

    def __getattr__(self, name: str) -> Any:
        return getattr(self._image, name)

    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        snapshot = self._image.ebs_snapshot
        ebs = {
            "SnapshotId": snapshot.id,
            "VolumeSize": snapshot.volume_size,
            "VolumeType": "gp3",
            "DeleteOnTermination": True,
            "Encrypted": snapshot.encrypted,
        }
        return [{"DeviceName": self._image.root_device_name, "Ebs": ebs}]


class ImageActions(EC2Response):
    """The calls that make, copy, change and forget images."""

    cloud: ClassVar[Cloud]
    images: ClassVar[ImageStore]

    def describe_images(self) -> ActionResult:
        answer: Any = super().describe_images()
        found = [Described(image) for image in answer.result["Images"]]
        return ActionResult({"Images": found})

    def create_image(self) -> ActionResult:
        call = plain(self.params)
        self.error_on_dryrun()
        with self.cloud.lock:
            machine = self.cloud.machine(call["InstanceId"])
            body = None if machine is None else machine.body
            if machine is not None and body is not None and machine.state is not State.STOPPED:
                message = "The local EC2 makes images of stopped instances only."
                raise EC2ClientError("IncorrectInstanceState", message)
            row = self._new_row(call)
            if machine is not None and body is not None and body.volume is not None:
                row.state = "pending"
                disk = _root_disk(machine.specification)
                row.ebs_snapshot.encrypted = bool(disk.get("Encrypted"))
                gib = int(disk.get("VolumeSize") or DEFAULT_DISK_GIB)
                self._snapshot(row, body.volume, gib=gib)
        return ActionResult({"ImageId": row.id})

    def copy_image(self) -> ActionResult:
        call = plain(self.params)
        answer: Any = super().copy_image()
        row = self.ec2_backend.amis[answer.result["ImageId"]]
        backend = ec2_backends[self.current_account][call["SourceRegion"]]
        source = backend.amis[call["SourceImageId"]]
        for name in SHOWN:
            setattr(row, name, getattr(source, name))
        row.imds_support = getattr(source, "imds_support", None)
        snapshot = row.ebs_snapshot
        snapshot.volume.size = source.ebs_snapshot.volume_size
        encrypted = str(call.get("Encrypted")).lower() == "true"
        snapshot.encrypted = encrypted or source.ebs_snapshot.encrypted
        self._tag(row, call)
        known = self.images.find(source.id)
        if known is not None:
            self.images.name(_renamed(known, row, region=self.region))
        return ActionResult({"ImageId": row.id})

    def deregister_image(self) -> ActionResult:
        answer = super().deregister_image()
        self.images.remove(self._get_param("ImageId"))
        return answer

    def modify_image_attribute(self) -> ActionResult:
        call = plain(self.params)
        support = (call.get("ImdsSupport") or {}).get("Value")
        description = (call.get("Description") or {}).get("Value")
        if call.get("Attribute") == "imdsSupport":
            support = call.get("Value")
        row = self._row(call["ImageId"])
        if support is not None:
            row.imds_support = support
        if description is not None:
            row.description = description
        return super().modify_image_attribute()

    def enable_image_deprecation(self) -> ActionResult:
        """EC2 rounds the time to the minute."""
        self.error_on_dryrun()
        at = plain(self.params)["DeprecateAt"].strftime("%Y-%m-%dT%H:%M:00.000Z")
        self._row(self._get_param("ImageId")).deprecation_time = at
        return ActionResult({"Return": True})

    def disable_image_deprecation(self) -> ActionResult:
        self.error_on_dryrun()
        self._row(self._get_param("ImageId")).deprecation_time = None
        return ActionResult({"Return": True})

    def _row(self, image: str) -> Any:
        (row,) = self.ec2_backend.describe_images(ami_ids=[image])
        return row

    def _new_row(self, call: Specification) -> Any:
        row = self.ec2_backend.create_image(
            call["InstanceId"], call["Name"], call.get("Description") or "", tag_specifications=[]
        )
        for name, value in SHOWN.items():
            setattr(row, name, value)
        self._tag(row, call)
        return row

    def _tag(self, row: Any, call: Specification) -> None:
        given = call.get("TagSpecifications") or []
        specification = {"TagSpecifications": tag_specifications(given)}
        for resource, kind in ((row.id, "image"), (row.ebs_snapshot.id, "snapshot")):
            tags = tags_of(specification, kind)
            if tags:
                self.ec2_backend.create_tags([resource], tags)

    def _snapshot(self, row: Any, volume: Volume, *, gib: int) -> None:
        row.ebs_snapshot.volume.size = gib
        image = Image(
            id=row.id,
            region=self.region,
            name=row.name,
            architecture=row.architecture,
            created=time.time(),
            content=f"content-{row.id}",
        )
        self.images.snapshot(image, volume)

        def make() -> None:
            try:
                self.images.make_disk(image, gib=gib)
            except OSError:
                log.exception("%s gets no disk", image.id)
                row.state = "failed"  # as EC2 says it, and who waits for the image sees it
            else:
                log.info("%s is made", image.id)
                row.state = "available"

        threading.Thread(target=make, name=f"disk-of-{row.id}", daemon=True).start()


def register(backend: Any, image: Image) -> None:
    """An image of the store as a row, under its id."""
    row = Ami(backend, image.id, name=image.name, creation_date=_utc(image.created), **SHOWN)
    backend.amis[image.id] = row


def register_base(backend: Any, *, release: str, arch: str) -> str:
    """Debian's image of that release, as Debian publishes it; its id."""
    name = f"ami-0debian{release}{arch}"
    kernel = {ours: theirs for theirs, ours in ARCHITECTURES.items()}[arch]
    backend.amis[name] = Ami(
        backend,
        name,
        name=f"debian-{release}-{arch}-20261101-2300",
        description=f"Debian {release}",
        owner_id=DEBIAN,
        public=True,
        creation_date=datetime(2026, 11, 1, 23, tzinfo=UTC),
        **{**SHOWN, "architecture": kernel},
    )
    return name


def _renamed(image: Image, row: Any, *, region: str) -> Image:
    return Image(
        id=row.id,
        region=region,
        name=row.name,
        architecture=image.architecture,
        created=time.time(),
        content=image.content,
    )


def _root_disk(specification: Specification) -> Mapping[str, Any]:
    """What was asked for of it."""
    mappings = specification.get("BlockDeviceMappings") or ()
    found = [one.get("Ebs") or {} for one in mappings if one.get("DeviceName") == ROOT_DEVICE]
    return found[0] if found else {}


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
