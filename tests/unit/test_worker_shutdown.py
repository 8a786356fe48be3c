"""The shutdown decision."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from aws_parallelizer.aws.spot import SpotRequests
from aws_parallelizer.core.errors import NotFound
from aws_parallelizer.worker import logs, shutdown
from aws_parallelizer.worker.shutdown import Ending

NO_PAUSES = (0.0,) * 5


class FakeRequests:
    """`aws.spot.SpotRequests` of one instance; `answers` are errors to be raised, call by call."""

    def __init__(self, request: str | None, *answers: Exception | None, lag: int = 0) -> None:
        self.request = request
        self.answers = list(answers)
        self.lag = lag
        self.cancels = 0

    def persistent_request_of(self, instance: str) -> str | None:
        if self.answers and (error := self.answers.pop(0)):
            raise error
        return self.request

    def cancel(self, request: str) -> None:
        self.cancels += 1

    def state(self, request: str) -> str:
        return "cancelled" if self.cancels > self.lag else "active"


def no_requests() -> SpotRequests:
    raise AssertionError("nobody knows which instance's")


def throttled() -> ClientError:
    return ClientError({"Error": {"Code": "RequestLimitExceeded"}}, "DescribeInstances")


def conclude(
    requests: FakeRequests | None,
    folder: Path,
    *,
    code: int = 0,
    shut_down: bool = True,
    park: bool = False,
    told: list[str] | None = None,
) -> tuple[int, bool]:
    exit_code = shutdown.conclude(
        Ending("it was time", code, shut_down, park),
        instance="i-1",
        requests=lambda: requests,  # type: ignore[arg-type, return-value]
        power_off=["touch", str(folder / "off")],
        tell=(told if told is not None else []).append,
        pauses=NO_PAUSES,
    )
    return exit_code, (folder / "off").exists()


def test_without_a_persistent_request_the_instance_goes(tmp_path: Path) -> None:
    assert conclude(FakeRequests(None), tmp_path) == (0, True)


def test_defect_16_a_crash_shuts_down_too_and_says_so_by_its_exit_code(tmp_path: Path) -> None:
    assert conclude(FakeRequests(None), tmp_path, code=1) == (1, True)


def test_should_shutdown_false_leaves_instance_and_request_alone(tmp_path: Path) -> None:
    requests = FakeRequests("sir-1")
    assert conclude(requests, tmp_path, shut_down=False) == (0, False)
    assert requests.cancels == 0


def test_a_persistent_request_is_cancelled_first(tmp_path: Path) -> None:
    requests = FakeRequests("sir-1", throttled(), NotFound("nothing yet"), lag=2)
    assert conclude(requests, tmp_path) == (0, True)
    assert requests.cancels == 3  # and read back as cancelled, not believed


def test_an_instance_whose_request_cannot_be_cancelled_stays(tmp_path: Path) -> None:
    stays = (shutdown.TRY_AGAIN, False)
    assert conclude(FakeRequests("sir-1", *[throttled()] * 99), tmp_path) == stays
    assert conclude(FakeRequests("sir-1", lag=99), tmp_path) == stays


@pytest.mark.parametrize("code", [0, 1])
def test_an_instance_that_is_parked_keeps_its_request_and_powers_off(
    code: int, tmp_path: Path
) -> None:
    requests, told = FakeRequests("sir-1"), list[str]()
    assert conclude(requests, tmp_path, code=code, park=True, told=told) == (code, True)
    assert requests.cancels == 0
    assert told == ["the worker ends and parks the instance: it was time"]


def test_should_shutdown_false_parks_nothing(tmp_path: Path) -> None:
    assert conclude(FakeRequests("sir-1"), tmp_path, shut_down=False, park=True) == (0, False)


@pytest.mark.parametrize("command", [["false"], ["/no/such/command"]])
def test_a_power_off_that_fails_is_an_error(command: list[str]) -> None:
    ending = Ending("it was time", 0, shut_down=True)
    assert (
        shutdown.conclude(
            ending, instance=None, requests=no_requests, power_off=command, tell=print
        )
        == 1
    )


@pytest.mark.parametrize(
    ("requests", "shut_down", "said"),
    [
        (FakeRequests(None), True, "shuts the instance down: it was time"),
        (FakeRequests(None), False, "the instance stays: it was time"),
        (FakeRequests("sir-1", lag=99), True, "is not cancelled: it was time"),
    ],
)
def test_the_decision_is_told_and_sent_before_the_power_goes(
    requests: FakeRequests,
    shut_down: bool,
    said: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: list[str] = []
    with caplog.at_level(logging.INFO):
        conclude(requests, tmp_path, shut_down=shut_down, told=told)
    [sentence] = told
    assert sentence.endswith(said)
    assert [record.message for record in caplog.records if logs.is_sent(record)] == told


def test_an_error_that_nobody_foresaw_does_not_keep_the_decision_from_being_taken(
    tmp_path: Path,
) -> None:
    assert conclude(FakeRequests("sir-1", KeyError("Reservations")), tmp_path) == (0, True)
    (tmp_path / "off").unlink()
    endless = FakeRequests("sir-1", *[KeyError("Reservations")] * 99)
    # It may not be cancelled: EC2 would start it.
    assert conclude(endless, tmp_path) == (shutdown.TRY_AGAIN, False)


def test_an_instance_of_which_nothing_can_be_asked_stays(tmp_path: Path) -> None:
    def broken() -> SpotRequests:
        raise ValueError("no such region")

    exit_code = shutdown.conclude(
        Ending("it was time", 0, shut_down=True),
        instance="i-1",
        requests=broken,
        power_off=["touch", str(tmp_path / "off")],
        tell=print,
        pauses=NO_PAUSES,
    )
    assert (exit_code, (tmp_path / "off").exists()) == (shutdown.TRY_AGAIN, False)


def test_a_last_beat_that_cannot_even_be_tried_keeps_no_instance_running(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def no_thread(_sentence: str) -> None:
        raise RuntimeError("can't start new thread")

    with caplog.at_level(logging.INFO):
        exit_code = shutdown.conclude(
            Ending("it was time", 0, shut_down=True),
            instance=None,
            requests=no_requests,
            power_off=["touch", str(tmp_path / "off")],
            tell=no_thread,
        )
    assert (exit_code, (tmp_path / "off").exists()) == (0, True)
    assert caplog.messages[-1] == "the worker ends and shuts the instance down: it was time"
