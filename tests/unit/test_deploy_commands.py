"""How the tools of the laptop end: what they say, and with which code."""

from __future__ import annotations

import argparse
import os

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from aws_parallelizer.core.errors import ParallelizerError
from deploy.commands import Interrupted, carry_out

REFUSED = ClientError({"Error": {"Code": "Denied", "Message": "not you"}}, "CreateStack")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ParallelizerError("no bucket x"), 1, "deploy: no bucket x"),
        (REFUSED, 1, "deploy: AWS refused CreateStack: not you"),
        (NoCredentialsError(), 1, "deploy: There are no AWS credentials"),
        (Interrupted("it goes on"), 130, "deploy: it goes on"),
        (KeyboardInterrupt(), 130, "deploy: interrupted"),
    ],
)
def test_a_failure_is_one_line_and_an_exit_code(
    error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_options: argparse.Namespace) -> int:
        raise error

    assert carry_out(fail, argparse.Namespace(action="deploy")) == code
    [told] = capsys.readouterr().err.splitlines()
    assert told.startswith(line)


def test_the_region_that_is_asked_for_is_worked_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    options = argparse.Namespace(action="plan", region="eu-west-1")
    assert carry_out(lambda _: 0, options) == 0
    assert os.environ["AWS_REGION"] == "eu-west-1"
