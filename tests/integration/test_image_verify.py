"""`make ami-verify`: an instance is started from the image, and ended whatever happens."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

import images
from aws_parallelizer.aws.image_trials import Sight, Trials
from aws_parallelizer.core import user_data
from aws_parallelizer.core.errors import ParameterError
from image import __main__ as program
from image import verifying
from image.checks import Trial

OWN_END = Sight("terminated", "Client.InstanceInitiatedShutdown", tokens=True)


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with images.account(monkeypatch, tmp_path):
        yield


class Ground(Trials):
    """moto's EC2, whose instances live as a test says: what is seen at each look, and whether the
    worker speaks.
    """

    def __init__(self, *sights: Sight, speaks: bool = True) -> None:
        super().__init__(images.ec2())
        self._sights = list(sights)
        self._speaks = speaks
        self.told: list[dict[str, Any]] = []
        self.ended: list[str] = []
        self.clock = 0.0

    def launch(self, image: str, **given: Any) -> str:
        self.told.append(given)
        return super().launch(image, **given)

    def sight(self, instance: str) -> Sight:
        return self._sights.pop(0) if len(self._sights) > 1 else self._sights[0]

    def console(self, instance: str) -> str:
        if not self._speaks:
            return "Kernel panic\n"
        try:
            user_data.decode(self.told[0]["user_data"].encode())
        except ParameterError as error:
            return f"aws-parallelizer: {error}"
        raise AssertionError("the worker would have begun to work")

    def terminate(self, instances: Any) -> None:
        self.ended += instances
        super().terminate(instances)

    def sleep(self, seconds: float) -> None:
        self.clock += seconds


def boot(ground: Ground, say: Callable[[str], None] = print) -> Trial:
    return verifying.boot(
        ground, "ami-1", kind="t3.small", say=say, sleep=ground.sleep, now=lambda: ground.clock
    )


def live() -> list[str]:
    return [
        each["InstanceId"]
        for group in images.ec2().describe_instances()["Reservations"]
        for each in group["Instances"]
        if each["State"]["Name"] not in ("terminated", "shutting-down")
    ]


def test_a_worker_that_speaks_and_ends_its_machine_is_a_good_image() -> None:
    ground = Ground(Sight(""), Sight("pending"), Sight("running", tokens=True), OWN_END)
    found = boot(ground)
    assert (found.signed, found.ended, found.tokens) == (True, True, True)
    assert live() == []


def test_an_image_that_does_not_boot_is_ended_in_time() -> None:
    ground = Ground(Sight("running"), speaks=False)
    found = boot(ground)
    assert (found.signed, found.ended) == (False, False)
    assert 0 < ground.clock < 15 * 60
    assert ground.ended == [found.instance]
    assert live() == []


def test_a_machine_that_ended_silently_is_waited_for_only_as_long_as_its_console_may_take() -> None:
    ground = Ground(OWN_END, speaks=False)
    assert not boot(ground).signed
    assert ground.clock < 7 * 60


def test_ctrl_c_ends_the_instance_too() -> None:
    ground = Ground(Sight("running"))

    def interrupt(_instance: str) -> Sight:
        raise KeyboardInterrupt

    ground.sight = interrupt  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        boot(ground)
    assert len(ground.ended) == 1
    assert live() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_ci_that_is_called_off_ends_the_instance_too(number: signal.Signals) -> None:
    ground = Ground(Sight("running"))

    def called_off(_instance: str) -> Sight:
        os.kill(os.getpid(), number)
        return Sight("running")

    ground.sight = called_off  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        boot(ground)
    assert live() == []


def test_an_impatient_second_ctrl_c_does_not_keep_the_instance() -> None:
    ground = Ground(OWN_END)
    really, said = ground.terminate, []

    def impatient(instances: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        really(instances)

    ground.terminate = impatient  # type: ignore[method-assign]
    boot(ground, said.append)
    assert "the instance is still being ended; wait for it" in said
    assert live() == []


def test_an_instance_whose_launch_was_never_answered_is_found_and_ended() -> None:
    ground = Ground(Sight("running"))
    really = ground.launch

    def lost(image: str, **given: Any) -> str:
        really(image, **given)
        raise ConnectionClosedError(endpoint_url="https://ec2")

    ground.launch = lost  # type: ignore[method-assign]
    with pytest.raises(ConnectionClosedError):
        boot(ground)
    assert len(ground.ended) == 1
    assert live() == []


def test_only_its_own_instance_is_ended() -> None:
    others = images.instance()
    ground = Ground(Sight("running"), OWN_END)
    found = boot(ground)
    assert set(ground.ended) == {found.instance}
    assert live() == [others]


def test_an_end_that_fails_is_tried_again_and_told() -> None:
    ground = Ground(OWN_END)
    really, said = ground.terminate, []

    def once(instances: Any) -> None:
        ground.terminate = really  # type: ignore[method-assign]
        raise ConnectionClosedError(endpoint_url="https://ec2")

    ground.terminate = once  # type: ignore[method-assign]
    boot(ground, said.append)
    assert any("could not end" in line for line in said)
    assert live() == []


def test_a_timer_in_the_instance_outlives_every_wait() -> None:
    ground = Ground(OWN_END)
    boot(ground)
    told = ground.told[0]["user_data"]
    assert told.startswith("#!/bin/sh\n")
    assert "shutdown --no-wall -P +25" in told


def test_an_instance_is_started_as_it_should_be() -> None:
    trials = Trials(images.ec2())
    made = trials.launch("ami-1", kind="t3.small", user_data="x", token="t-1")
    assert trials.started("t-1") == [made]
    assert trials.started("t-2") == []
    assert trials.sight(made).state == "running"
    assert trials.console(made)
    answer = images.ec2().describe_instances(InstanceIds=[made])
    [entry] = answer["Reservations"][0]["Instances"]
    assert {"Key": "parallelizer:image", "Value": "trial"} in entry["Tags"]
    trials.terminate([made])
    assert trials.started("t-1") == []


def test_the_image_that_stacks_use_is_looked_at_and_what_is_wrong_with_it_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = images.image("made")
    images.ssm().put_parameter(Name="/parallelizer/image-id", Value=made, Type="String")
    monkeypatch.setattr(verifying, "Trials", lambda _client: Ground(OWN_END))
    monkeypatch.setattr(verifying, "_POLL_SECONDS", 0.0)
    assert program.main(["verify"]) == 1
    told = capsys.readouterr().out
    assert f"{made} (made) in us-east-1" in told
    assert "ok: sign of life" in told
    assert "failed: deprecation: no date" in told  # moto has none
    assert live() == []


def test_no_image_is_one_line_with_the_cure(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["verify"]) == 1
    assert "/parallelizer/image-id of us-east-1 names no image" in capsys.readouterr().err
    assert program.main(["verify", "--image", "ami-0123456789abcdef0"]) == 1
    assert "ami-0123456789abcdef0" in capsys.readouterr().err
