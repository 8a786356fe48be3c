"""What becomes of an instance whose worker cannot decide it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from aws_parallelizer.core import user_data
from aws_parallelizer.core.parameters import Parameters
from aws_parallelizer.core.user_data import UserData
from aws_parallelizer.worker import shutdown
from fakes.metadata import Metadata

PROGRAM = Path(__file__).parents[2] / "ansible" / "roles" / "boot" / "files" / "watch.py"
NEVER = (
    "ActiveState=inactive\nResult=success\nExecMainStatus=0\nExecMainStartTimestampMonotonic=0\n"
)
STARTED = "ExecMainStartTimestampMonotonic=1234567\n"
FAILED = f"ActiveState=failed\nResult=exit-code\nExecMainStatus=203\n{STARTED}"
STAYED = f"ActiveState=inactive\nResult=success\nExecMainStatus=0\n{STARTED}"
NOT_CANCELLED = f"ActiveState=failed\nResult=exit-code\nExecMainStatus=75\n{STARTED}"


@pytest.fixture
def watch() -> ModuleType:
    """The program, as a module of its own each time."""
    spec = importlib.util.spec_from_file_location("watch", PROGRAM)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Machine:
    """Answers systemctl and the metadata service; remembers what systemctl was told."""

    def __init__(self, watch: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shown: str | Exception = NEVER
        self.user_data: str = ""
        self.told: list[str] = []
        self.asked = 0
        self.is_slow = False
        monkeypatch.setattr(watch, "_systemctl", self._systemctl)
        monkeypatch.setattr(watch, "fetch_user_data", self._fetch)

    def _systemctl(self, *arguments: str) -> str:
        if arguments[0] != "show":
            self.told.append(" ".join(arguments))
            if self.is_slow:
                raise subprocess.TimeoutExpired("systemctl", 60)
            return ""
        if isinstance(self.shown, Exception):
            raise self.shown
        return self.shown

    def _fetch(self) -> str:
        self.asked += 1
        return self.user_data


@pytest.fixture
def machine(watch: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(watch, monkeypatch)


@pytest.mark.parametrize("state", ["active", "activating", "deactivating", "reloading"])
def test_while_the_worker_is_at_work_the_machine_goes_on(
    watch: ModuleType, machine: Machine, state: str
) -> None:
    machine.shown = f"ActiveState={state}\nResult=exit-code\nExecMainStatus=1\n{STARTED}"
    assert watch.main() == 0
    assert not machine.asked


def test_a_worker_that_let_its_instance_stay_is_obeyed(watch: ModuleType, machine: Machine) -> None:
    machine.shown = STAYED
    assert watch.main() == 0


@pytest.mark.parametrize("shown", [NEVER, FAILED, "", f"ActiveState=failed\n{STARTED}"])
def test_without_a_worker_the_machine_ends_and_says_why(
    watch: ModuleType, machine: Machine, capsys: pytest.CaptureFixture[str], shown: str
) -> None:
    machine.shown = shown
    assert watch.main() == 1
    assert "the machine is powered off: the worker" in capsys.readouterr().out


@pytest.mark.parametrize("shown", [NEVER, FAILED])
def test_should_shutdown_false_keeps_a_machine_whose_worker_is_broken(
    watch: ModuleType, machine: Machine, shown: str
) -> None:
    parameters = Parameters(environment_zip="e.zip", analysis_program="run", should_shutdown=False)
    machine.shown, machine.user_data = shown, user_data.encode(UserData(parameters))
    assert watch.main() == 0


def test_a_spot_request_that_is_not_cancelled_is_tried_again_by_a_new_worker(
    watch: ModuleType, machine: Machine
) -> None:
    machine.shown = NOT_CANCELLED
    assert watch.main() == 0
    assert machine.told == [
        "reset-failed aws-parallelizer.service",
        "start --no-block aws-parallelizer.service",
    ]


def test_the_worker_and_the_watch_mean_the_same_exit_code(watch: ModuleType) -> None:
    assert watch.TRY_AGAIN == shutdown.TRY_AGAIN


def test_a_machine_too_busy_to_be_asked_goes_on(watch: ModuleType, machine: Machine) -> None:
    machine.shown = subprocess.TimeoutExpired("systemctl", 60)
    assert watch.main() == 0


def test_a_machine_too_busy_to_start_its_worker_again_is_not_powered_off(
    watch: ModuleType, machine: Machine
) -> None:
    machine.shown, machine.is_slow = NOT_CANCELLED, True
    assert watch.main() == 0  # EC2 would start it anew, for its request is not cancelled


def test_a_systemd_that_gives_no_answer_ends_the_machine(
    watch: ModuleType, machine: Machine
) -> None:
    machine.shown = subprocess.CalledProcessError(1, "systemctl")
    with pytest.raises(subprocess.CalledProcessError):  # and so the program fails
        watch.main()


@pytest.mark.parametrize(
    ("text", "may_end"),
    [
        ("", True),
        ("shouldShutdown=true", True),
        ("# shouldShutdown=false", True),
        ("shouldShutdown = False\r", False),
        ("shouldShutdown=no", True),
        ("#!/bin/sh\nshutdown", True),
    ],
)
def test_only_a_plain_no_in_the_user_data_keeps_the_machine(
    watch: ModuleType, text: str, may_end: bool
) -> None:
    assert watch.may_end(text) == may_end


@pytest.fixture
def silent(watch: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(watch, "_METADATA_TRIES", 2)
    monkeypatch.setattr(watch.time, "sleep", lambda _seconds: None)


@pytest.mark.parametrize("values", [{"user-data": b"shouldShutdown=false\n"}, {}])
def test_the_user_data_is_asked_for_with_a_token_and_after_silence_again(
    watch: ModuleType, monkeypatch: pytest.MonkeyPatch, values: dict[str, bytes]
) -> None:
    service = Metadata(values, silent=1)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url)
    monkeypatch.setattr(watch.time, "sleep", lambda _seconds: None)
    try:
        told = watch.fetch_user_data()
    finally:
        service.close()
    assert told.encode() == values.get("user-data", b"")


@pytest.mark.usefixtures("silent")
def test_a_silent_metadata_service_keeps_no_machine(watch: ModuleType) -> None:
    assert watch.fetch_user_data() == ""
    assert watch.may_end("")


def test_it_runs_on_a_python_without_site_packages() -> None:
    ended = subprocess.run(
        [sys.executable, "-I", "-S", str(PROGRAM)],
        env={"PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "No such file or directory: 'systemctl'" in ended.stderr
