"""The image that a job's instances have if it names none, as `make ami` leaves it."""

from __future__ import annotations

from typing import Any

from aws_parallelizer.core.errors import ParallelizerError
from local.bodies import Kind
from local.images import ImageStore
from local.settings import IMAGE_PARAMETER, REGION, Machines


def image_to_boot(machines: Machines) -> str | None:
    """The id of the newest image that was built here, None = none is needed.

    Raises ParallelizerError if instances are machines, and there is neither one nor a Debian to
    build one of.
    """
    if machines.body == Kind.WORKER:
        return None
    found = [one for one in ImageStore(machines.images).images() if one.region == REGION]
    if not found and not machines.releases:
        raise ParallelizerError(
            f"BODY={machines.body} boots the newest image that was built on this computer, "
            "and there is none; `make rehearse` builds one"
        )
    return found[0].id if found else None


def register_image(ec2: Any, ssm: Any, *, image: str | None) -> None:
    """An image's id where a job's default image is read, as `make ami` leaves it; without one, a
    row's that nothing boots.
    """
    image = (
        image
        or ec2.register_image(
            Name="aws-parallelizer-local",
            Architecture="x86_64",
            RootDeviceName="/dev/xvda",
            VirtualizationType="hvm",
        )["ImageId"]
    )
    ssm.put_parameter(Name=IMAGE_PARAMETER, Value=image, Type="String", Overwrite=True)
