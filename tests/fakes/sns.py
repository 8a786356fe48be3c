"""SNS in memory: `sent` has what topics were told. A topic in `broken` answers with that error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fakes.faults import refused


@dataclass
class FakeSns:
    """As boto3's client shows it."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)

    @property
    def events(self) -> list[str]:
        """What was told of, in its order."""
        return [each["MessageAttributes"]["event"]["StringValue"] for each in self.sent]

    def publish(self, **message: Any) -> dict[str, str]:
        if code := self.broken.get(message["TopicArn"]):
            raise refused(code, "publish")
        subject = message["Subject"]
        assert 0 < len(subject) < 100, "SNS refuses it"
        assert subject.isprintable(), "SNS refuses it"
        assert len(message["MessageAttributes"]) <= 10, "queues that take raw messages drop it"
        self.sent.append(message)
        return {"MessageId": str(len(self.sent))}
