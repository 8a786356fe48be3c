"""What an instance is launched with: EC2's launch data, made of a job's parameters. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aws_parallelizer.core.parameters import Parameters

# Spot is found where there is choice: x86-64 types with 2 vCPUs of several families, generations
# and makers share few capacity pools. An image is built for one architecture, hence no Graviton.
DEFAULT_TYPES = (
    "c7i.large",
    "c7a.large",
    "c6i.large",
    "c6a.large",
    "c5.large",
    "m7i.large",
    "m7a.large",
    "m6i.large",
    "m6a.large",
    "m5.large",
    "r6i.large",
    "r5.large",
)
DEFAULT_TYPES_VCPUS = 2
MAKE_SPOT_ROLE = "aws iam create-service-linked-role --aws-service-name spot.amazonaws.com"
DEFAULT_GROUP = "default"  # the security group that each VPC has


class LaunchSite(NamedTuple):
    """What the stack and EC2 add to the parameters. `tags` are as EC2 takes them."""

    image: str
    root_device: str
    groups: Sequence[str]
    profile_arn: str
    tags: Sequence[Mapping[str, str]]


def launch_data(
    parameters: Parameters, *, site: LaunchSite, user_data: str, on_demand: bool = False
) -> dict[str, Any]:
    """The data of a launch template; RunInstances takes the same, with plain user data."""
    # EC2 refuses tags of a spot request where it makes none.
    request = () if on_demand else ("spot-instances-request",)
    kinds = ("instance", "volume", "network-interface", *request)
    data = {
        "ImageId": site.image,
        "UserData": user_data,
        "MetadataOptions": {
            "HttpEndpoint": "enabled",
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 1,
        },
        "BlockDeviceMappings": [
            {
                "DeviceName": site.root_device,
                "Ebs": {"Encrypted": True, "VolumeType": "gp3", "DeleteOnTermination": True},
            }
        ],
        "IamInstanceProfile": {"Arn": site.profile_arn},
        "SecurityGroupIds": list(site.groups),
        # Only instances of persistent requests are started again; others would stay stopped.
        "InstanceInitiatedShutdownBehavior": (
            "terminate" if on_demand else parameters.shutdown_behavior
        ),
        "TagSpecifications": [{"ResourceType": kind, "Tags": list(site.tags)} for kind in kinds],
    }
    return {**data, "KeyName": parameters.key_pair} if parameters.key_pair else data
