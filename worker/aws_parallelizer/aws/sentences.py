"""What went wrong with AWS, said to a person."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from aws_parallelizer.core.errors import ParallelizerError

NO_CREDENTIALS = (
    "There are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, or run `aws configure`."
)
NO_REGION = "There is no AWS region: set AWS_REGION, or run `aws configure`."


def sentence(error: Exception) -> str | None:
    """One sentence for an error that has a cause outside the program; None for all others."""
    if isinstance(error, ParallelizerError):
        return str(error)
    if isinstance(error, NoCredentialsError):
        return NO_CREDENTIALS
    if isinstance(error, NoRegionError):
        return NO_REGION
    if isinstance(error, ClientError):
        told = error.response["Error"]
        return f"AWS refused {error.operation_name}: {told.get('Message') or told.get('Code')}"
    if isinstance(error, BotoCoreError):
        return f"AWS: {error}"
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return None
