"""What is logged from INFO on: no secret, no presigned link, no message's body."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib import answers, api, enqueueing, ingest, jobs, runs, steps, triggers
from chalicelib.api import Call
from chalicelib.ingest import Told
from desks import BUCKET, Desk
from fakes.queue import FakeQueue
from pipelines import Plant

SECRETS = ("AKIAHUSH", "hush-hush/secret")
PARAMETERS = (
    "accessKey=AKIAHUSH\nsecretKey=hush-hush/secret\nenvironmentZip=e.zip\nanalysisProgram=run.sh\n"
)


@pytest.fixture
def bodies(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All messages that any queue was given."""
    found: list[str] = []
    send = FakeQueue.send

    def noted(self: FakeQueue, sent: Sequence[str], *, delay_seconds: int = 0) -> list[bool]:
        found.extend(sent)
        return send(self, sent, delay_seconds=delay_seconds)

    monkeypatch.setattr(FakeQueue, "send", noted)
    return found


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """All that was logged, with the fields that the worker's log adds and every traceback."""
    whole = [json.dumps(getattr(r, "fields", {}), default=str) for r in caplog.records]
    return caplog.text + "\n".join(whole)


def record(number: str, body: str) -> dict[str, object]:
    return {
        "messageId": number,
        "receiptHandle": "handle",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
    }


def test_the_control_plane_logs_no_secret_no_link_and_no_message(
    caplog: pytest.LogCaptureFixture, bodies: list[str]
) -> None:
    desk = Desk()
    poison = '{"Records": [{"eventName": "poisonous"}]}'
    with caplog.at_level(logging.INFO):
        call = Call("/jobs/job", {}, PARAMETERS.encode(), "text/plain")
        said = answers.encode(api.put_job(desk.context, call, "job").document)
        for number in range(30):
            desk.s3.put(BUCKET, f"job/{number}")
        told = [desk.told({"key": f"job/{number}"}, number=f"m{number}") for number in range(5)]
        bodies += [each.body for each in told]
        ingest.ingest(desk.context, [*told, Told("p", poison, 1, "h"), Told("q", "poison", 1, "h")])
        enqueueing.start(desk.context, "job", run="r1")
        desk.world.queue().refused.add("job/7")
        run_steps(desk)
        desk.world.queue().refused.clear()
        link = api.get_task(desk.context, Call("/p", {"key": "job/1"}), "job").document["links"]
        desk.world.queue().failures = [RuntimeError("so it goes")] * 3
        desk.world.tick(5)
        desk.world.work(5)
        desk.world.dead_letters().send(["no task", '{"v": 99, "key": "odd"}', bodies[-1]])
        desk.world.tick(5)
        jobs.delete(desk.context, "job", purge=True)
        desk.world.tick(10)
        run_steps(desk)

    text = logged(caplog)
    assert not any(secret in said for secret in SECRETS)
    assert len(caplog.records) >= 5
    for secret in (*SECRETS, link["input"], "?signed", "poisonous", *bodies):
        assert secret not in text, secret


def run_steps(desk: Desk) -> None:
    """Carry out what the steps queue holds; what fails is left."""
    held = list(desk.steps.visible.values())
    desk.steps.empty()
    for number, body in enumerate(held):
        if isinstance(steps.decode(body), steps.Reconcile):
            continue
        try:
            triggers.step(desk.context, [record(f"s{number}", body)])
        except runs.NotTakenIn:
            logging.getLogger("lambda").exception("the function failed")


def test_a_worker_logs_no_message_and_nothing_of_what_the_program_wrote(
    caplog: pytest.LogCaptureFixture, bodies: list[str], tmp_path: Path
) -> None:
    plant = Plant(tmp_path, 'echo "token=hush-hush/secret"; exit 3', max_attempts=1)
    with caplog.at_level(logging.INFO):
        plant.put("data/a")
        plant.put("data/b", messages=2)
        plant.queue.send(['{"v": 99, "key": "odd"}'])
        plant.queue.failures = [EndpointConnectionError(endpoint_url=plant.queue.url)]
        plant.run()
    text = logged(caplog)
    assert "task ended" in text
    for secret in (*SECRETS, *bodies):
        assert secret not in text, secret
