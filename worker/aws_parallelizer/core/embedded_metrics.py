"""Metrics as a document in CloudWatch's embedded metric format: CloudWatch Logs makes metrics of a
log line that is one, without a call or a permission of its own.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

NAMESPACE = "AWSParallelizer"


def document(
    values: Mapping[str, tuple[float, str]], dimensions: Mapping[str, str], *, now: datetime
) -> dict[str, Any]:
    """`values` are numbers and their CloudWatch units by the metric's name; a dimension's value is
    not empty.
    """
    return {
        "_aws": {
            "Timestamp": int(now.timestamp() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [list(dimensions)],
                    "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in values.items()],
                }
            ],
        },
        **dimensions,
        **{name: value for name, (value, _) in values.items()},
    }
