"""What in EC2 names a machine image, so that the image must stay."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from aws_parallelizer.core.fleet import TAG_STACK

_LIVE_INSTANCE = ("pending", "running", "stopping", "stopped")
_LIVE_REQUEST = ("open", "active", "disabled")


def users(client: Any, images: Collection[str]) -> dict[str, str]:
    """Those of the images that something names, each with one that does; raises what botocore
    raises.
    """
    if not images:
        return {}
    found: dict[str, str] = {}
    for named in (_instances, _requests, _templates):
        for image, user in named(client, sorted(images)):
            found.setdefault(image, user)
    return {image: user for image, user in found.items() if image in images}


def _instances(client: Any, images: list[str]) -> Iterator[tuple[str, str]]:
    pages = client.get_paginator("describe_instances").paginate(
        Filters=[
            {"Name": "image-id", "Values": images},
            {"Name": "instance-state-name", "Values": list(_LIVE_INSTANCE)},
        ]
    )
    for page in pages:
        for group in page["Reservations"]:
            for entry in group["Instances"]:
                yield entry["ImageId"], f"instance {entry['InstanceId']}"


def _requests(client: Any, _: list[str]) -> Iterator[tuple[str, str]]:
    """A persistent request starts its instance again, from the same image."""
    pages = client.get_paginator("describe_spot_instance_requests").paginate(
        Filters=[{"Name": "state", "Values": list(_LIVE_REQUEST)}]
    )
    for page in pages:
        for entry in page["SpotInstanceRequests"]:
            image = entry["LaunchSpecification"]["ImageId"]
            yield image, f"spot request {entry['SpotInstanceRequestId']}"


def _templates(client: Any, _: list[str]) -> Iterator[tuple[str, str]]:
    """Every version of every launch template, for who launches may name an old one. Of a stack's
    only the latest: reconcile launches by no other.
    """
    pages = client.get_paginator("describe_launch_templates").paginate()
    for entry in (entry for page in pages for entry in page["LaunchTemplates"]):
        stacks = any(tag["Key"] == TAG_STACK for tag in entry.get("Tags", ()))
        versions = client.get_paginator("describe_launch_template_versions").paginate(
            LaunchTemplateId=entry["LaunchTemplateId"],
            **({"Versions": ["$Latest"]} if stacks else {}),
        )
        for version in (version for page in versions for version in page["LaunchTemplateVersions"]):
            image = version["LaunchTemplateData"].get("ImageId", "")
            name = f"{entry['LaunchTemplateName']}, version {version['VersionNumber']}"
            yield image, f"launch template {name}"
