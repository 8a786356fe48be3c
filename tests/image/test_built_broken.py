"""Machines of the image to which something is wrong: each ends by itself and says why."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.ami import Ami, Machines
from waiting import until

PROFILE = "arn:aws:iam::000000000000:instance-profile/worker"


def parameters(cloud: Machines) -> str:
    """User data that is right but for one thing: no such environment is there."""
    queue = cloud.client("sqs").create_queue(QueueName="nobodys")["QueueUrl"]
    return (
        f"EC2SQSRegion={cloud.env['AWS_REGION']}\n"
        f"inputBucket={cloud.env['PARALLELIZER_INPUT_BUCKET']}\n"
        f"outputBucket={cloud.env['PARALLELIZER_OUTPUT_BUCKET']}\n"
        f"environmentBucket={cloud.env['PARALLELIZER_ENVIRONMENT_BUCKET']}\n"
        "environmentZip=lost.zip\n"
        "analysisProgram=run.sh\n"
        "inputPrefix=nobodys/\n"
        "outputPrefix=nobodys-results/\n"
        f"queueURL={queue}\n"
    )


@pytest.fixture(scope="module")
def broken(cloud: Machines, ami: Ami) -> dict[str, str]:
    """Instances by what is wrong with them, all launched at once: some take a minute to give up."""
    wrong: dict[str, dict[str, Any]] = {
        "user data that cannot be read": {"UserData": "job=x\nnumThreads=many\n"},
        "no user data": {},
        "no environment": {"UserData": parameters(cloud)},
        "no metadata service": {"MetadataOptions": {"HttpEndpoint": "disabled"}},
    }
    ec2 = cloud.client("ec2")
    return {
        name: ec2.run_instances(
            ImageId=ami.images["us-east-1"],
            MinCount=1,
            MaxCount=1,
            InstanceInitiatedShutdownBehavior="terminate",
            IamInstanceProfile={"Arn": PROFILE},
            **given,
        )["Instances"][0]["InstanceId"]
        for name, given in wrong.items()
    }


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("user data that cannot be read", "numThreads"),
        ("no user data", "environmentZip is missing"),
        ("no environment", "lost.zip"),
        ("no metadata service", "metadata service"),
    ],
)
def test_a_machine_that_cannot_work_powers_itself_off_and_says_why_on_its_console(
    cloud: Machines, broken: dict[str, str], wrong: str, reason: str
) -> None:
    instance = broken[wrong]
    until(lambda: cloud.state(instance) == "terminated", seconds=300, what=f"{wrong}: it ends")
    assert cloud.described(instance)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    said = [
        line for line in cloud.console(instance).splitlines() if "shuts the instance down" in line
    ]
    assert said
    assert reason in said[-1]
