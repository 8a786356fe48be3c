"""Ten thousand uploads at once: few nudges, and never more instances than are wanted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from aws_parallelizer.aws.dynamodb import Document, Key
from chalicelib import ingest, reconcile, steps
from chalicelib.ingest import Told
from desks import Desk
from fakes.table import FakeTable

BATCH = 100  # Lambda hands over so many messages at once
GATE = Key("lease", "nudge")


class Race:
    """Lets another invocation run to its end between an invocation's look at the nudge's gate and
    its write: all of a wave have seen the gate open before the first of them takes it.
    """

    def __init__(self, table: FakeTable) -> None:
        self.waiting: list[Callable[[], object]] = []
        self._get = table.get
        table.get = self.get  # type: ignore[method-assign]

    def get(self, key: Key) -> Document | None:
        found = self._get(key)
        if key == GATE and self.waiting:
            self.waiting.pop()()
        return found


def messages(desk: Desk, batch: int) -> list[Told]:
    numbers = range(batch * BATCH, (batch + 1) * BATCH)
    return [desk.told({"key": f"job/{number:05}"}, number=f"m{number}") for number in numbers]


def due(desk: Desk, sent: list[tuple[float, Any]]) -> int:
    """Run reconcile for each nudge whose delay is over; how many there were."""
    now = desk.context.now().timestamp()
    over = [each for each in sent if each[0] <= now]
    for each in over:
        sent.remove(each)
        reconcile.run(desk.context)
    return len(over)


def test_ten_thousand_uploads_at_once_give_a_nudge_in_ten_seconds_and_launch_what_is_wanted() -> (
    None
):
    desk = Desk()
    desk.make(maxInstances=7, numThreads=1)
    desk.s3.objects["parallelizer-environment"] = {}
    desk.s3.put("parallelizer-environment", "e.zip")
    race = Race(desk.world.table)
    sent: list[tuple[float, Any]] = []
    taken: list[list[str]] = []
    span = desk.context.settings.nudge_seconds

    def send(bodies: list[str], *, delay_seconds: int = 0) -> list[bool]:
        at = desk.context.now().timestamp() + delay_seconds
        sent.extend((at, steps.decode(body)) for body in bodies)
        return [True] * len(bodies)

    desk.steps.send = send  # type: ignore[method-assign, assignment]
    ran = 0
    for wave in range(10):  # 10 waves of 10 concurrent invocations of 100 uploads, 3 s apart
        race.waiting = [
            lambda batch=batch: taken.append(ingest.ingest(desk.context, messages(desk, batch)))
            for batch in range(wave * 10, wave * 10 + 10)
        ]
        while race.waiting:
            race.waiting.pop()()
        desk.world.ec2.now += timedelta(seconds=3)
        ran += due(desk, sent)
        assert len(desk.world.ec2.running) <= 7
    for _ in range(20):
        desk.world.ec2.now += timedelta(seconds=3)
        ran += due(desk, sent)

    assert [failed for failed in taken if failed] == []
    assert len(taken) == 100
    assert len(desk.sent()) == 10_000
    assert ran <= 30 / span + 1
    assert 0 < len(desk.world.ec2.running) <= 7
    launches = desk.world.ec2.made("create_fleet", "run_instances")
    asked = [each["TargetCapacitySpecification"]["TotalTargetCapacity"] for each in launches]
    assert sum(asked) <= 7
