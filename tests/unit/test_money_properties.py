"""Whatever happens to instances, ticks and prices: no second of the bill is lost or counted twice.

A machine keeps the true bill of a few instances, and shows what EC2 would show of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_parallelizer.core import money
from aws_parallelizer.core.fleet import Instance
from aws_parallelizer.core.money import Change, Pool, Prices
from aws_parallelizer.core.spending import Spending

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
ZERO = int(T0.timestamp())
POOL = Pool("c7i.large", "us-east-1a")
HISTORY = (
    Change(ZERO, 0.36), Change(ZERO + 700, 0.18), Change(ZERO + 2500, 0.9),
)  # fmt: skip
PRICES = Prices(spot={POOL: HISTORY})


@dataclass
class Machine:
    """An instance and the times that it really ran: [start, end) in seconds."""

    ran: list[list[int]] = field(default_factory=list)
    state: str = "stopped"

    def shown(self, id_: int, *, ends: bool) -> Instance:
        start, end = self.ran[-1]
        return Instance(
            id=f"i-{id_}",
            type=POOL.type,
            zone=POOL.zone,
            state=self.state,
            launched=T0 + timedelta(seconds=start),
            spot=True,
            ended=T0 + timedelta(seconds=end) if ends and self.state != "running" else None,
        )


def true_cost(machines: list[Machine], now: int) -> float:
    """What EC2 bills up to `now`, the first minute of each start whole."""
    total = 0.0
    for machine in machines:
        for start, end in machine.ran:
            last = max(start + 60, min(end, now))
            total += sum(_price(second) for second in range(start, last, 10)) * 10
    return total


def _price(second: int) -> float:
    return next(c.hourly for c in reversed(HISTORY) if c.at <= ZERO + second) / 3600


NEVER = 10**9
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["wait", "start", "end", "tick", "double", "hidden", "priceless"]),
        st.integers(0, 2),
        st.integers(1, 60).map(lambda n: n * 10),
    ),
    max_size=60,
)


@dataclass
class World:
    ends_are_told: bool
    now: int = 0
    machines: list[Machine] = field(default_factory=lambda: [Machine() for _ in range(3)])
    spending: Spending = field(default_factory=Spending)

    def do(self, step: str, which: int, seconds: int) -> None:
        machine = self.machines[which]
        self.now += seconds
        if step == "start" and machine.state != "running":
            if machine.ran:
                self.tick()  # reconcile starts it again, and has looked just before
            machine.state = "running"
            machine.ran.append([self.now, NEVER])
        elif step == "end" and machine.state == "running":
            machine.state = "stopped"
            machine.ran[-1][1] = self.now
        elif step == "tick":
            self.tick()
        elif step == "double":
            self.tick()
            self.tick()
        elif step == "hidden":
            self.tick(hidden=which)
        elif step == "priceless":
            self.tick(prices=Prices())

    def tick(self, *, hidden: int | None = None, prices: Prices = PRICES) -> None:
        shown = [
            machine.shown(i, ends=self.ends_are_told)
            for i, machine in enumerate(self.machines)
            if machine.ran and i != hidden
        ]
        before = self.spending.dollars
        now = T0 + timedelta(seconds=self.now)
        seen = money.observed(self.spending, shown, now=now, since=T0)
        self.spending = money.charged(seen, prices)
        assert self.spending.dollars >= before


@given(STEPS, st.booleans())
def test_what_is_counted_is_never_less_than_the_bill_and_never_decreases(
    steps: list[tuple[str, int, int]], told: bool
) -> None:
    world = World(ends_are_told=told)
    for step in steps:
        world.do(*step)
    world.tick()
    bill = true_cost(world.machines, world.now)
    assert world.spending.dollars >= bill - 1e-6


@given(st.lists(st.tuples(st.sampled_from(["start", "end"]), st.integers(0, 2)), max_size=30))
def test_with_a_look_after_each_change_what_is_counted_is_the_bill(
    steps: list[tuple[str, int]],
) -> None:
    world = World(ends_are_told=True)
    for step, which in steps:
        world.do(step, which, 70)
        world.tick()
    assert world.spending.dollars == pytest.approx(true_cost(world.machines, world.now))


@given(STEPS)
def test_what_is_counted_is_never_more_than_all_the_time_since_the_first_start(
    steps: list[tuple[str, int, int]],
) -> None:
    world = World(ends_are_told=False)
    for step in steps:
        world.do(*step)
    world.tick()
    whole = [Machine(ran=[[machine.ran[0][0], NEVER]]) for machine in world.machines if machine.ran]
    starts = sum(len(machine.ran) for machine in world.machines)
    most = true_cost(whole, world.now) + starts * 60 * 0.9 / 3600
    assert world.spending.dollars <= most + 1e-6
