"""Instances as rows of moto's EC2."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.utils import parse_user_data

from local.launching import Specification, laid_over, tagged, tags_of
from local.machine import State
from local.metadata import Identity
from local.rows import REASONS, CloudError, Order
from local.spot import Cause

DEFAULT_TYPE = "m1.small"  # EC2's
DEFAULT_DISK_GIB = 8  # of an image that says nothing

TAGGED_AT_LAUNCH = ("instance", "volume")


class MotoRows:
    """The rows of one account."""

    def __init__(self, account: str) -> None:
        self._account = account

    def launch(self, order: Order, *, spot: bool, token: str | None, count: int) -> list[Identity]:
        specification = order.specification
        try:
            reservation = self.backend(order.region).run_instances(
                specification["ImageId"],
                count,
                parse_user_data(_text(specification.get("UserData"))),
                specification.get("SecurityGroups") or [],
                **_arguments(specification, order.region, self._profile(specification)),
                lifecycle="spot" if spot else None,
                client_token=token or "",
            )
        except EC2ClientError as error:
            raise CloudError(error.code, error.message) from error
        identities = [self._identity(one, specification) for one in reservation.instances]
        for identity in identities:
            self.show(identity, State.PENDING, cause=None)
        return identities

    def link(self, instance: Identity, *, request: str) -> None:
        self._row(instance).spot_instance_request_id = request

    def tag(self, resource: str, *, region: str, tags: Mapping[str, str]) -> None:
        self.backend(region).create_tags([resource], dict(tags))

    def tags(self, resource: str, *, region: str) -> dict[str, str]:
        """The tags of an instance or a request, those too that were put on it later."""
        found = self.backend(region).describe_tags(filters={"resource-id": [resource]})
        return {tag["key"]: tag["value"] for tag in found}

    def show(self, instance: Identity, state: State, *, cause: Cause | None) -> None:
        row = self._row(instance)
        if state is State.SHUTTING_DOWN:
            row.terminate()
        elif state is State.STOPPED:
            row.stop()
        elif state is State.PENDING:
            row.start()
        row.instance_state.name, row.instance_state.code = state.text, state.code
        code, sentence = ("", "") if cause is None else REASONS[cause]
        row._reason = sentence  # noqa: SLF001  moto has no other way to say why
        row.state_reason.code = code
        row.state_reason.message = f"{code}: {sentence}" if code else ""

    def forget(self, instance: Identity) -> None:
        reservations = self.backend(instance.region).reservations
        reservation = self.reservation(instance)
        reservation.instances = [
            one for one in reservation.instances if one.id != instance.instance
        ]
        if not reservation.instances:
            del reservations[reservation.id]

    def reservation(self, instance: Identity) -> Any:
        """moto's reservation that the row belongs to."""
        return next(
            reservation
            for reservation in self.backend(instance.region).reservations.values()
            if any(one.id == instance.instance for one in reservation.instances)
        )

    def template(self, reference: Mapping[str, Any], *, region: str) -> Specification:
        """The data of the launch template's version, with the tags that EC2 adds for it."""
        backend = self.backend(region)
        if "LaunchTemplateId" in reference:
            template = backend.get_launch_template(reference["LaunchTemplateId"])
        else:
            template = backend.get_launch_template_by_name(reference["LaunchTemplateName"])
        version = template.get_version(reference.get("Version") or "$Default")
        marks = {
            "aws:ec2launchtemplate:id": template.id,
            "aws:ec2launchtemplate:version": str(version.number),
        }
        return laid_over(plain(version.data), tagged("instance", marks))

    def _row(self, instance: Identity) -> Any:
        reservation = self.reservation(instance)
        return next(one for one in reservation.instances if one.id == instance.instance)

    def backend(self, region: str) -> Any:
        """moto's rows of a region."""
        return ec2_backends[self._account][region]

    def _profile(self, specification: Specification) -> dict[str, str] | None:
        given = specification.get("IamInstanceProfile") or {}
        if given.get("Arn"):
            return {"Arn": given["Arn"], "Id": "AIPALOCAL"}
        if given.get("Name"):
            arn = f"arn:aws:iam::{self._account}:instance-profile/{given['Name']}"
            return {"Arn": arn, "Id": "AIPALOCAL"}
        return None

    def _public_key(self, region: str, name: str | None) -> str | None:
        pair = self.backend(region).key_pairs.get(name)
        return None if pair is None else str(pair.public_key).strip()

    def _identity(self, row: Any, specification: Specification) -> Identity:
        encoded = _text(specification.get("UserData"))
        profile = self._profile(specification)
        metadata = specification.get("MetadataOptions") or {}
        return Identity(
            instance=row.id,
            type=row.instance_type,
            image=row.image_id,
            region=row.region_name,
            zone=row.placement.zone,
            account=self._account,
            address=row.private_ip_address,
            life_cycle=row.lifecycle or "on-demand",
            role=None if profile is None else profile["Arn"].rpartition("/")[2],
            user_data=base64.b64decode(encoded) if encoded else None,
            public_key=self._public_key(row.region_name, specification.get("KeyName")),
            has_metadata=metadata.get("HttpEndpoint") != "disabled",
        )


def _arguments(
    specification: Specification, region: str, profile: Mapping[str, str] | None
) -> dict[str, Any]:
    """moto's names for what the specification says."""
    arguments: dict[str, Any] = {
        "disable_api_stop": specification.get("DisableApiStop") or False,
        "disable_api_termination": specification.get("DisableApiTermination") or False,
        "ebs_optimized": specification.get("EbsOptimized") or False,
        "hibernation_options": specification.get("HibernationOptions") or {},
        "iam_instance_profile": profile,
        "instance_initiated_shutdown_behavior": specification.get(
            "InstanceInitiatedShutdownBehavior"
        ),
        "instance_type": specification.get("InstanceType") or DEFAULT_TYPE,
        "is_instance_type_default": not specification.get("InstanceType"),
        "key_name": specification.get("KeyName"),
        "metadata_options": specification.get("MetadataOptions") or {},
        "nics": specification.get("NetworkInterfaces") or [],
        "placement": (specification.get("Placement") or {}).get("AvailabilityZone"),
        "private_ip": specification.get("PrivateIpAddress"),
        "region_name": region,
        "security_group_ids": list(specification.get("SecurityGroupIds") or []),
        "subnet_id": specification.get("SubnetId"),
        "tags": {kind: tags_of(specification, kind) for kind in TAGGED_AT_LAUNCH},
    }
    disks = [_disk(one) for one in specification.get("BlockDeviceMappings") or () if "Ebs" in one]
    return {**arguments, "block_device_mappings": disks} if disks else arguments


def _disk(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {**mapping, "Ebs": {"VolumeSize": DEFAULT_DISK_GIB, **mapping["Ebs"]}}


def _text(encoded: Any) -> str | None:
    """moto keeps user data as an object in some places; its text is the base64 form."""
    return None if encoded is None else str(encoded)


def plain(value: Any) -> Any:
    """moto's parsed parameters as dictionaries and lists."""
    if hasattr(value, "original_dict"):
        value = value.original_dict()
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value
