"""Settings of a stack that is nowhere, for tests."""

from __future__ import annotations

from typing import Any

import msgspec

from chalicelib.settings import Settings


def settings(**changes: Any) -> Settings:
    """The settings that a deployed stack's functions have, with `changes`."""
    return msgspec.structs.replace(
        Settings(
            stack="parallelizer",
            aws_region="us-east-1",
            ledger_table="parallelizer-ledger",
            uploads_queue_url="https://sqs.us-east-1.amazonaws.com/000000000000/parallelizer-uploads",
            steps_queue_url="https://sqs.us-east-1.amazonaws.com/000000000000/parallelizer-steps",
            input_bucket="parallelizer-input",
            output_bucket="parallelizer-output",
            environment_bucket="parallelizer-environment",
            image_parameter="/parallelizer/image-id",
            instance_profile_arn="arn:aws:iam::000000000000:instance-profile/parallelizer-worker",
            security_group="",
            subnets="",
            empty_readings=3,
            empty_span_seconds=180,
            drain_seconds=300,
            nudge_seconds=10,
            lease_seconds=310,
        ),
        **changes,
    )
