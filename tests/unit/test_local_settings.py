"""What processes of the local cloud get to see, and the file that says how to reach it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from chalice.app import CloudWatchEvent

from local import env_file
from local.settings import Place, environment
from local.ticker import scheduled_event

PLACE = Place(directory=Path("/x"), port=1, ec2_port=2)


def test_no_setting_of_the_developers_account_reaches_the_local_cloud() -> None:
    before = {
        "AWS_PROFILE": "work",
        "AWS_SESSION_TOKEN": "t",
        "AWS_ENDPOINT_URL_S3": "https://elsewhere",
        "PATH": "/bin",
        "NO_PROXY": "internal",
    }
    after = environment(PLACE, before)
    assert after["PATH"] == "/bin"
    assert after["NO_PROXY"] == "internal,127.0.0.1,localhost"
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"} & set(after)
    assert after["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert after["AWS_ENDPOINT_URL_EC2"] == "http://127.0.0.1:2"
    assert after["AWS_CONFIG_FILE"] == after["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull


def test_the_env_file_says_anything_that_a_shell_can_take(tmp_path: Path) -> None:
    values = {"PLAIN": "x", "ODD": 'it\'s; $(x) = "y" z', "EMPTY": ""}
    env_file.write(tmp_path / "env", values)
    assert env_file.read(tmp_path / "env") == values
    assert (tmp_path / "env").read_text().startswith("export PLAIN=x\n")
    assert [path.name for path in tmp_path.iterdir()] == ["env"]


def test_a_tick_is_an_event_that_chalice_knows() -> None:
    event = CloudWatchEvent(scheduled_event(datetime(2026, 1, 1, tzinfo=UTC)), None)
    assert (event.source, event.detail_type) == ("aws.events", "Scheduled Event")
    assert event.time == "2026-01-01T00:00:00Z"
