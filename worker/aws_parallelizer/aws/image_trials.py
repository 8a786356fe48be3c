"""One image as EC2 describes it, and an instance that is started from it to be looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from aws_parallelizer.aws.ec2 import as_tags
from aws_parallelizer.aws.ec2_setup import describe
from aws_parallelizer.aws.images import TAG
from aws_parallelizer.core.errors import NotFound

TRIAL = "parallelizer:trial"  # the tag that tells whose trial an instance is
_GONE = "terminated"


class Disk(NamedTuple):
    """A disk that instances of the image get; `type` in EC2's words."""

    device: str
    encrypted: bool
    type: str


class Details(NamedTuple):
    """An image in EC2's words, empty where it does not tell; `imds` is its ImdsSupport."""

    id: str
    name: str
    state: str
    architecture: str
    disks: tuple[Disk, ...]
    tags: Mapping[str, str]
    imds: str = ""
    public: bool = False
    network: bool = False  # ENA, without which today's types have no network
    deprecated: datetime | None = None


class Sight(NamedTuple):
    """An instance as it is seen: its state, why it is in it, whether its metadata service asks for
    tokens.
    """

    state: str
    reason: str = ""
    tokens: bool = False


class Trials:
    """The gateway. Every method raises botocore's ClientError or BotoCoreError."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def details(self, image: str) -> Details:
        """One image; raises NotFound."""
        found = describe(self._client, "describe_images", ImageIds=[image])["Images"]
        if not found:
            raise NotFound(f"there is no image {image} that these credentials may see")
        return _details(found[0])

    def launch(self, image: str, *, kind: str, user_data: str, token: str, subnet: str = "") -> str:
        """Start one instance on demand, which its own shutdown terminates; its id. The same token
        starts no second one.
        """
        tags = as_tags({TAG: "trial", TRIAL: token, "Name": "aws-parallelizer image trial"})
        answer = self._client.run_instances(
            ImageId=image,
            InstanceType=kind,
            MinCount=1,
            MaxCount=1,
            UserData=user_data,
            ClientToken=token,
            InstanceInitiatedShutdownBehavior="terminate",
            TagSpecifications=[
                {"ResourceType": resource, "Tags": tags} for resource in ("instance", "volume")
            ],
            **({"SubnetId": subnet} if subnet else {}),
        )
        return str(answer["Instances"][0]["InstanceId"])

    def started(self, token: str) -> list[str]:
        """The instances that were started with the token and are not gone."""
        answer = self._client.describe_instances(
            Filters=[{"Name": f"tag:{TRIAL}", "Values": [token]}]
        )
        return [
            entry["InstanceId"]
            for group in answer["Reservations"]
            for entry in group["Instances"]
            if entry["State"]["Name"] != _GONE
        ]

    def sight(self, instance: str) -> Sight:
        """How the instance is; without a state while EC2 does not show it yet."""
        try:
            answer = describe(self._client, "describe_instances", InstanceIds=[instance])
        except NotFound:
            return Sight("")  # a moment after the launch
        entries = [entry for group in answer["Reservations"] for entry in group["Instances"]]
        if not entries:
            return Sight("")
        return Sight(
            state=entries[0]["State"]["Name"],
            reason=entries[0].get("StateReason", {}).get("Code", ""),
            tokens=entries[0].get("MetadataOptions", {}).get("HttpTokens") == "required",
        )

    def console(self, instance: str) -> str:
        """What stands on its console, empty where nothing does yet."""
        try:
            answer = self._client.get_console_output(InstanceId=instance, Latest=True)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("IncorrectInstanceState", "IncorrectState"):
                raise
            return ""  # it starts, or has just ended
        return str(answer.get("Output", ""))

    def terminate(self, instances: Sequence[str]) -> None:
        """End them; harmless where they have ended."""
        if instances:
            self._client.terminate_instances(InstanceIds=list(instances))


def _details(entry: Mapping[str, Any]) -> Details:
    deprecated = entry.get("DeprecationTime")
    return Details(
        id=entry["ImageId"],
        name=entry.get("Name", ""),
        state=entry["State"],
        architecture=entry.get("Architecture", ""),
        disks=tuple(
            Disk(
                device=each["DeviceName"],
                encrypted=bool(each["Ebs"].get("Encrypted")),
                type=each["Ebs"].get("VolumeType", ""),
            )
            for each in entry.get("BlockDeviceMappings", ())
            if "Ebs" in each
        ),
        tags={tag["Key"]: tag["Value"] for tag in entry.get("Tags", ())},
        imds=entry.get("ImdsSupport", ""),
        public=bool(entry.get("Public")),
        network=bool(entry.get("EnaSupport")),
        deprecated=datetime.fromisoformat(deprecated) if deprecated else None,
    )
