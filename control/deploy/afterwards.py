"""What CloudFormation cannot do, done once the stack stands. Each step is harmless when repeated,
and each deploy does all of them, also one that changes nothing: an earlier one may have been
interrupted.
"""

from __future__ import annotations

from aws_parallelizer.aws import clients, service_roles
from aws_parallelizer.aws.service_roles import Found
from deploy import existing, survey, switching
from deploy.commands import Say

# Spot instances are launched in its name. CreateFleet's own role is not needed: fleets of type
# instant do without (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-fleet-prerequisites.html).
SPOT_ROLE = "AWSServiceRoleForEC2Spot"
_SPOT_SERVICE = "spot.amazonaws.com"


def finish(stack: str, *, before: str, say: Say) -> None:
    """All the steps, in their order; `before` = the input bucket until now. Raises DeployFailed and
    what botocore raises.
    """
    place = survey.locate(stack)
    _spot_role(say)
    existing.attach(place, before=before, say=say)
    if switching.wake(place):
        say(f"stack {stack} was at rest, for a destroy was broken off: it is awake again")


def _spot_role(say: Say) -> None:
    found = service_roles.ensure(clients.client("iam"), role=SPOT_ROLE, service=_SPOT_SERVICE)
    if found is Found.MADE:
        say(f"made the role {SPOT_ROLE}, in whose name EC2 launches spot instances")
    if found is Found.FORBIDDEN:
        say(
            f"could not make sure that the role {SPOT_ROLE} is there, without which EC2 launches "
            "no spot instance: these credentials may not. Somebody who may can run, once in the "
            f"account: aws iam create-service-linked-role --aws-service-name {_SPOT_SERVICE}"
        )
