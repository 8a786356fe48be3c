"""What the stack tells its Lambda functions: their environment, read once into a frozen object.

The template (`resources.json`) sets every value, defaults too; a missing one fails by its name.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from aws_parallelizer.core.job import StackDefaults


class SettingsError(Exception):
    """The function's environment is not what the stack's template makes."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One stack's names and spans. Each field is read from the variable of its name in capitals."""

    stack: str
    aws_region: str
    ledger_table: str
    uploads_queue_url: str
    steps_queue_url: str
    input_bucket: str
    output_bucket: str
    environment_bucket: str
    image_parameter: str  # the SSM parameter with the last image's id
    instance_profile_arn: str
    security_group: str  # empty: the default one of the subnets' VPC
    subnets: str  # comma-separated; empty: those of the default VPC
    empty_readings: int  # so many readings in a row must say "nothing left"
    empty_span_seconds: float  # and the first and the last of them lie so far apart
    drain_seconds: float  # workers get so long to end by themselves
    nudge_seconds: float  # at most one nudge of reconcile in this span
    lease_seconds: float  # of reconcile; longer than its function may run

    @property
    def subnet_ids(self) -> tuple[str, ...]:
        """The stack's subnets, none = those of the default VPC."""
        return tuple(subnet.strip() for subnet in self.subnets.split(",") if subnet.strip())

    @property
    def defaults(self) -> StackDefaults:
        """What a job's parameters fall back on."""
        return StackDefaults(
            input_bucket=self.input_bucket,
            output_bucket=self.output_bucket,
            environment_bucket=self.environment_bucket,
            region=self.aws_region,
        )


def read(environment: Mapping[str, str]) -> Settings:
    """The settings of an environment; raises SettingsError that names what is not right."""
    names = {field: field.upper() for field in Settings.__struct_fields__}
    missing = [name for name in names.values() if name not in environment]
    if missing:
        raise SettingsError(f"not set in this function's environment: {', '.join(missing)}")
    given = {field: environment[name] for field, name in names.items()}
    try:
        return msgspec.convert(given, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"wrong in this function's environment: {error}") from error
