"""When a job counts as stuck, and how fast it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib import progress, rate

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def ago(minutes: float) -> datetime:
    return NOW - minutes * MINUTE


@pytest.mark.parametrize(
    ("seconds", "timeout", "in_flight", "minutes"),
    [
        (10.0, 0, 5, 30),  # short tasks
        (3600.0, 0, 5, 180),  # long ones: three times as long as usual
        (None, 0, 0, 30),  # nobody has taken a task
        (None, 0, 1, 390),  # somebody works on the first one
        (None, 1200, 1, 50),  # which has a limit
        (3600.0, 0, 0, 180),
    ],
)
def test_patience_fits_the_tasks(
    seconds: float | None, timeout: float, in_flight: int, minutes: int
) -> None:
    found = progress.patience(
        seconds_per_task=seconds, timeout_seconds=timeout, in_flight=in_flight
    )
    assert found == minutes * MINUTE


@pytest.mark.parametrize(
    ("before", "demand", "entitled", "ended", "after"),
    [
        (None, 5, True, None, NOW),  # first look: the clock begins
        (ago(40), 5, True, None, ago(40)),  # nothing ended
        (ago(40), 5, True, ago(3), ago(3)),  # a task did
        (ago(40), 5, True, ago(90), ago(40)),  # long before
        (ago(40), 5, True, NOW + MINUTE, NOW),  # by a clock that goes ahead
        (ago(40), 0, True, None, NOW),  # nothing to do
        (ago(40), None, True, None, ago(40)),  # not known
        (ago(40), 5, False, None, NOW),  # paused, stopped, over its budget
    ],
)
def test_a_job_gets_on_when_a_task_ends_or_there_is_none_it_may_work_on(
    before: datetime | None,
    demand: int | None,
    entitled: bool,
    ended: datetime | None,
    after: datetime,
) -> None:
    found = progress.progressed(before, demand=demand, entitled=entitled, ended=ended, now=NOW)
    assert found == after


def test_a_job_is_stuck_when_its_patience_is_over() -> None:
    assert not progress.is_stuck(ago(30), now=NOW, patience=30 * MINUTE)
    assert progress.is_stuck(ago(31), now=NOW, patience=30 * MINUTE)


def test_a_rate_is_measured_on_what_ended_lately() -> None:
    ends = [[ago(0), ago(2), ago(4)], [ago(1), ago(3), ago(5)], []]
    assert rate.measured(ends, now=NOW) == pytest.approx(5 / 300)


def test_a_rate_falls_while_nothing_ends() -> None:
    ends = [[ago(4), ago(5)]]
    assert rate.measured(ends, now=NOW) == pytest.approx(1 / 300)
    assert rate.measured(ends, now=NOW + 5 * MINUTE) == pytest.approx(1 / 600)


@pytest.mark.parametrize(
    "ends", [[], [[]], [[ago(1)]], [[ago(20), ago(21), ago(22)]], [[NOW, NOW]]]
)
def test_too_few_tasks_give_no_rate(ends: list[list[datetime]]) -> None:
    assert rate.measured(ends, now=NOW) is None


def test_a_place_that_shows_only_its_newest_does_not_slow_the_rate() -> None:
    busy = [NOW - timedelta(seconds=i + 1) for i in range(rate.SAMPLE)]
    calm = [ago(minutes) for minutes in (1, 5, 10)]
    assert rate.measured([busy, calm], now=NOW) == pytest.approx(1.0, rel=0.1)
