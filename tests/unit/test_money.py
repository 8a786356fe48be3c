"""What instances cost: the bill of a fleet, whatever ticks, prices and EC2's listing do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aws_parallelizer.core import money
from aws_parallelizer.core.fleet import Instance
from aws_parallelizer.core.money import Change, Pool, Prices
from aws_parallelizer.core.spending import Spending

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = int(T0.timestamp())
POOL = Pool("c7i.large", "us-east-1a")
HOURLY = 0.36  # dollars: a second costs 0.0001
SPOT = Prices(spot={POOL: [Change(SECOND - 9999, HOURLY)]}, on_demand={"c7i.large": 3.6})


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def machine(
    id_: str = "i-1",
    *,
    launched: float = 0,
    state: str = "running",
    type_: str = "c7i.large",
    spot: bool = True,
    ended: float | None = None,
) -> Instance:
    return Instance(
        id=id_,
        type=type_,
        zone="us-east-1a",
        state=state,
        launched=at(launched),
        spot=spot,
        ended=None if ended is None else at(ended),
    )


def look(
    spending: Spending,
    now: float,
    *instances: Instance,
    prices: Prices = SPOT,
    since: float = -86400,
) -> Spending:
    """One tick."""
    return money.charged(money.observed(spending, instances, now=at(now), since=at(since)), prices)


def test_a_running_spot_instance_costs_its_seconds_at_the_spot_price() -> None:
    spending = look(Spending(), 600, machine())
    assert spending.dollars == pytest.approx(0.06)
    assert spending.hourly == pytest.approx(HOURLY)
    assert look(spending, 660, machine()).dollars == pytest.approx(0.066)


def test_an_on_demand_instance_costs_the_on_demand_price() -> None:
    assert look(Spending(), 600, machine(spot=False)).dollars == pytest.approx(0.6)


def test_a_price_that_changes_in_between_counts_from_its_second_on() -> None:
    prices = Prices(
        spot={
            POOL: [
                Change(SECOND - 50, 0.36),
                Change(SECOND + 100, 0.72),
                Change(SECOND + 400, 1.08),
            ]
        }
    )
    spending = look(Spending(), 1000, machine(), prices=prices)
    assert spending.dollars == pytest.approx(100 * 0.0001 + 300 * 0.0002 + 600 * 0.0003)
    assert spending.hourly == pytest.approx(1.08)


def test_a_history_that_begins_late_holds_for_the_time_before_it_too() -> None:
    prices = Prices(spot={POOL: [Change(SECOND + 500, HOURLY)]})
    assert look(Spending(), 600, machine(), prices=prices).dollars == pytest.approx(0.06)


def test_a_doubled_tick_counts_nothing_twice() -> None:
    once = look(Spending(), 600, machine())
    assert look(once, 600, machine()).dollars == once.dollars


def test_a_tick_with_a_clock_that_went_back_takes_nothing_away() -> None:
    once = look(Spending(), 600, machine())
    back = look(once, 540, machine())
    assert back.dollars == once.dollars
    assert look(back, 660, machine()).dollars == pytest.approx(0.066)


def test_the_first_minute_is_billed_whole() -> None:
    spending = look(Spending(), 5, machine())
    assert spending.dollars == pytest.approx(0.006)
    ended = look(spending, 30, machine(state="terminated", ended=20))
    assert ended.dollars == pytest.approx(0.006)


@pytest.mark.parametrize("state", ["shutting-down", "terminated", "stopping", "stopped"])
def test_an_instance_is_billed_to_its_end_where_ec2_says_when_that_was(state: str) -> None:
    spending = look(Spending(), 300, machine())
    ended = look(spending, 360, machine(state=state, ended=330))
    assert ended.dollars == pytest.approx(0.033)
    assert look(ended, 600, machine(state=state, ended=330)).dollars == ended.dollars
    assert ended.hourly == 0


def test_an_end_that_lies_ahead_of_our_clock_is_billed_up_to_now() -> None:
    spending = look(Spending(), 300, machine())
    ahead = look(spending, 360, machine(state="terminated", ended=400))
    assert ahead.dollars == pytest.approx(0.036)


@pytest.mark.parametrize("state", ["shutting-down", "terminated", "stopping", "stopped"])
def test_an_end_that_nobody_saw_is_put_as_late_as_it_can_be(state: str) -> None:
    spending = look(Spending(), 300, machine())
    assert look(spending, 360, machine(state=state)).dollars == pytest.approx(0.036)


def test_an_instance_that_vanishes_from_ec2s_listing_keeps_its_cost() -> None:
    spending = look(Spending(), 300, machine())
    gone = look(spending, 360)
    assert gone.dollars == pytest.approx(0.036)
    assert look(gone, 9999999).dollars == gone.dollars


def test_an_instance_that_shows_again_is_not_counted_again() -> None:
    spending = look(Spending(), 300, machine())
    missing = look(spending, 360)
    again = look(missing, 420, machine())
    assert again.dollars == pytest.approx(0.042)
    ended = look(again, 480, machine(state="terminated", ended=450))
    assert look(look(ended, 540), 600, machine(state="terminated")).dollars == ended.dollars


def test_a_pending_instance_costs_nothing_yet() -> None:
    assert look(Spending(), 300, machine(state="pending")).dollars == 0


def test_a_parked_instance_costs_nothing_while_it_is_stopped() -> None:
    parked = look(look(Spending(), 300, machine()), 360, machine(state="stopped", ended=330))
    for now in (420, 4000, 8000):
        parked = look(parked, now, machine(state="stopped", ended=330))
    assert parked.dollars == pytest.approx(0.033)
    starting = look(parked, 9000, machine(launched=8990, state="pending"))
    assert starting.dollars == pytest.approx(0.033)
    started = look(starting, 9100, machine(launched=8990))
    assert started.dollars == pytest.approx(0.033 + 0.011)


def test_an_instance_stopped_and_started_between_two_looks_loses_no_time() -> None:
    spending = look(Spending(), 300, machine())
    started = look(spending, 420, machine(launched=400))
    assert started.dollars == pytest.approx(0.030 + 0.010 + 0.006)  # 60 s at least from the start


def test_ticks_that_come_late_count_all_the_time_between() -> None:
    assert look(look(Spending(), 60, machine()), 36000, machine()).dollars == pytest.approx(3.6)


def test_instances_of_an_earlier_job_of_this_name_are_not_counted() -> None:
    old = machine(launched=-3600, state="terminated")
    assert look(Spending(), 100, old, since=0).dollars == 0


def test_an_instance_that_a_person_gave_to_the_job_counts_from_the_jobs_begin() -> None:
    assert look(Spending(), 100, machine(launched=-3600), since=0).dollars == pytest.approx(0.01)


def test_a_type_without_a_price_is_named_and_counted_once_its_price_is_known() -> None:
    odd = machine("i-2", type_="m9.huge", spot=False)
    spending = look(Spending(), 600, machine(), odd)
    assert spending.dollars == pytest.approx(0.06)
    assert (spending.unpriced, spending.hourly) == (("m9.huge",), None)
    gone = look(spending, 660, machine())
    assert gone.unpriced == ("m9.huge",)
    priced = Prices(spot=SPOT.spot, on_demand={"m9.huge": 36.0})
    later = look(gone, 660, machine(), prices=priced)
    assert later.dollars == pytest.approx(0.066 + 6.6)
    assert later.unpriced == ()


def test_without_prices_the_time_waits_for_them() -> None:
    seen = money.observed(Spending(), [machine()], now=at(600), since=T0)
    assert (seen.dollars, money.due_since(seen)) == (0, T0)
    assert look(seen, 660, machine(state="terminated")).dollars == pytest.approx(0.066)


def test_what_is_counted_and_long_gone_is_forgotten() -> None:
    spending = look(look(Spending(), 300, machine()), 360, machine(state="terminated"))
    assert look(spending, 400).uptimes
    assert look(spending, 400 + 3 * 3600).uptimes == ()


def test_stretches_before_the_last_start_are_forgotten_once_they_are_counted() -> None:
    spending = Spending()
    for i in range(5):
        start = i * 1000
        spending = look(spending, start + 500, machine(launched=start))
        spending = look(spending, start + 600, machine(launched=start, state="stopped"))
    assert len(spending.uptimes) <= 2
    assert spending.dollars == pytest.approx(5 * 0.06)


def test_a_fleet_larger_than_its_row_counts_nothing_twice() -> None:
    fleet = [machine(f"i-{i}") for i in range(2500)]
    spending = look(Spending(), 600, *fleet)
    assert len(spending.uptimes) == 2000
    for now in (660, 720):
        spending = look(spending, now, *fleet)
    assert spending.dollars == pytest.approx(2500 * 0.072)


def test_unpriced_time_that_the_row_has_no_room_for_stays_named() -> None:
    odd = [machine(f"i-{i}", type_="m9.huge", spot=False, state="terminated") for i in range(2500)]
    spending = look(Spending(), 600, *odd)
    assert spending.lost == ("m9.huge",)
    priced = Prices(on_demand={"m9.huge": 1.0})
    assert look(spending, 660, prices=priced).unpriced == ("m9.huge",)


def test_one_instance_that_is_listed_twice_is_counted_once() -> None:
    assert look(Spending(), 600, machine(), machine()).dollars == pytest.approx(0.06)


@pytest.mark.parametrize(
    ("spent", "budget", "over"),
    [(4.99, 5.0, False), (5.0, 5.0, True), (5.03, 5.0, True), (99.0, None, False)],
)
def test_a_budget_is_overspent_when_it_is_reached(
    spent: float, budget: float | None, over: bool
) -> None:
    assert money.overspent(Spending(dollars=spent), budget) is over


def test_under_a_budget_only_types_with_a_price_may_be_launched_on_demand() -> None:
    prices = {"c7i.large": 0.1}
    types = ("c7i.large", "m9.huge")
    assert money.unaffordable(types, prices, budget=5.0) == ("m9.huge",)
    assert money.unaffordable(types, prices, budget=None) == ()


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0.0, "$0.00"),
        (1234567.891, "$1,234,567.89"),
        (5.031, "$5.03"),
        (0.12, "$0.12"),
        (0.0421, "$0.042"),
        (0.00999, "$0.0100"),
        (0.000123, "$0.00012"),
        (0.0000001, "under $0.000001"),
        (-2.5, "-$2.50"),
    ],
)
def test_dollars_are_shown_with_digits_that_say_something(amount: float, shown: str) -> None:
    assert money.dollars(amount) == shown


def test_an_outlook_extrapolates_from_what_runs_at_what_it_costs() -> None:
    spending = Spending(dollars=3.0, at=T0, hourly=2.0)
    told = money.outlook(spending, done=30, opened=10, eta_seconds=1800, budget=10.0)
    assert (told.per_task, told.forecast, told.left) == (pytest.approx(0.1), 4.0, 7.0)


def test_an_outlook_without_a_rate_extrapolates_from_the_cost_of_a_task() -> None:
    spending = Spending(dollars=3.0, at=T0)
    told = money.outlook(spending, done=30, opened=10, eta_seconds=None, budget=None)
    assert (told.forecast, told.left) == (pytest.approx(4.0), None)


def test_what_is_not_known_is_not_invented() -> None:
    unseen = money.outlook(Spending(), done=0, opened=5, eta_seconds=None, budget=5.0)
    assert (unseen.per_task, unseen.forecast, unseen.left) == (None, None, None)
    begun = money.outlook(Spending(at=T0), done=0, opened=5, eta_seconds=None, budget=5.0)
    assert (begun.per_task, begun.forecast, begun.left) == (None, None, 5.0)


def test_when_nothing_is_open_the_forecast_is_what_was_spent() -> None:
    told = money.outlook(
        Spending(dollars=3.0, at=T0, hourly=0.0), done=3, opened=0, eta_seconds=None, budget=2.0
    )
    assert (told.forecast, told.left) == (3.0, 0.0)
