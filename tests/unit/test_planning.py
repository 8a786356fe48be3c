"""What is decided about a job's fleet."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_parallelizer.core.fleet import Backoff, Instance, Intent, SpotRequest
from aws_parallelizer.core.job import Wish
from chalicelib import planning
from chalicelib.actions import Adopt, CancelRequests, Launch, Plan, Replay, Settle, Terminate
from chalicelib.holdings import Holdings
from chalicelib.planning import Limits, Situation, plan

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMITS = Limits(max_instances=10, drain_seconds=600, slots=2)


def instance(
    number: int, *, state: str = "running", request: str = "", launch: str = ""
) -> Instance:
    return Instance(
        id=f"i-{number}",
        type="c7i.large",
        zone="us-east-1a",
        state=state,
        launched=NOW,
        spot=True,
        request=request,
        launch=launch,
    )


def request(
    number: int,
    *,
    state: str = "active",
    kind: str = "persistent",
    of: str = "",
    status: str = "fulfilled",
) -> SpotRequest:
    return SpotRequest(id=f"sir-{number}", type=kind, state=state, status=status, instance=of)


def intent(
    name: str = "a",
    *,
    count: int = 1,
    age: float = 60,
    made: tuple[str, ...] | None = None,
    wish: str = "",
) -> Intent:
    return Intent(
        id=name,
        job="job",
        count=count,
        created=NOW - timedelta(seconds=age),
        call="create_fleet",
        arguments="{}",
        wish=wish,
        resolved=made is not None,
        instances=made or (),
    )


def situation(
    *,
    demand: int | None = 0,
    instances: tuple[Instance, ...] = (),
    requests: tuple[SpotRequest, ...] = (),
    intents: tuple[Intent, ...] = (),
    **rest: object,
) -> Situation:
    holdings = Holdings(now=NOW, instances=instances, requests=requests, intents=intents)
    return replace(
        Situation(holdings=holdings, limits=LIMITS, demand=demand, grace_seconds=300), **rest
    )


def running(count: int) -> tuple[Instance, ...]:
    return tuple(instance(number) for number in range(count))


def launched(decided: Plan) -> int:
    return sum(action.count for action in decided.actions if isinstance(action, Launch))


@pytest.mark.parametrize(
    ("demand", "slots", "seconds", "most", "want"),
    [
        (0, 2, 60, 10, 0),
        (1, 2, 60, 10, 1),  # at least one where there is work
        (20, 2, 60, 10, 1),  # 20 x 60 s in 600 s on 2 slots
        (21, 2, 60, 10, 2),
        (200, 2, 60, 10, 10),
        (2000, 2, 60, 10, 10),  # never more than maxInstances
        (3, 2, 3600, 10, 2),  # nor more slots than tasks
        (1000, 8, 6, 1000, 2),
        (-5, 2, 60, 10, 0),
        (5, 0, 60, 10, 1),  # a nonsensical number of slots is one
    ],
)
def test_what_is_wanted_follows_the_rule(
    demand: int, slots: int, seconds: float, most: int, want: int
) -> None:
    limits = Limits(max_instances=most, drain_seconds=600, slots=slots, seconds_per_task=seconds)

    assert planning.wanted(demand, limits) == want


@pytest.mark.parametrize(
    ("there", "count"),
    [
        ({}, 5),
        ({"instances": running(2)}, 3),
        ({"instances": (instance(0, state="pending"),)}, 4),
        ({"instances": running(7)}, 0),
        ({"instances": (instance(0, state="stopped"), instance(1, state="shutting-down"))}, 5),
        ({"requests": (request(0, state="open"),)}, 4),
        ({"requests": (request(0, state="closed", kind="one-time"),)}, 5),
        ({"requests": (request(0, state="cancelled"),)}, 5),
        # A replacement is on its way for an ended instance of a persistent request.
        ({"instances": (instance(0, state="terminated"),), "requests": (request(0, of="i-0"),)}, 4),
        # An instance and its request are one, whether or not EC2 shows the instance yet.
        ({"instances": (instance(0, request="sir-0"),), "requests": (request(0, of="i-0"),)}, 4),
        ({"requests": (request(0, of="i-0"),)}, 4),
        # EC2 starts again what it stopped itself, and nothing that was stopped by us.
        ({"requests": (request(0, state="disabled", status="instance-stopped-no-capacity"),)}, 4),
        ({"requests": (request(0, state="disabled", status="instance-stopped-by-user"),)}, 5),
        ({"intents": (intent(count=3),)}, 2),
        ({"intents": (intent(count=3),), "instances": (instance(0, launch="a"),)}, 2),
        ({"intents": (intent(made=("i-8", "i-9")),)}, 3),
        ({"intents": (intent(made=("i-0", "i-9")),), "instances": running(1)}, 3),
        ({"intents": (intent(made=("i-8", "i-9"), age=600),)}, 5),
        ({"intents": (intent(made=()),)}, 5),
    ],
    ids=str,
)
def test_what_is_there_or_on_its_way_is_not_launched_again(
    there: dict[str, object], count: int
) -> None:
    assert launched(plan(situation(demand=100, **there))) == count


def test_a_doomed_one_time_instance_is_replaced_but_counts_against_the_most() -> None:
    doomed = request(0, kind="one-time", status="marked-for-termination", of="i-0")
    there = (instance(0, request="sir-0"), *(instance(number) for number in range(1, 10)))

    full = plan(situation(demand=1000, instances=there, requests=(doomed,)))
    room = plan(situation(demand=1000, instances=there[:9], requests=(doomed,)))

    assert launched(full) == 0
    assert launched(room) == 1


def test_no_more_than_a_step_is_launched_at_a_time() -> None:
    many = replace(LIMITS, max_instances=1000)

    assert launched(plan(situation(demand=100_000, limits=many))) == planning.STEP


def test_a_queue_that_could_not_be_read_launches_nothing_and_says_why() -> None:
    decided = plan(situation(demand=None, trouble="the queue could not be read (gone)"))

    assert decided.actions == ()
    assert "the queue could not be read (gone)" in decided.sentence


def test_a_backoff_holds_launches_back_and_says_until_when() -> None:
    backoff = Backoff(
        failures=1,
        until=NOW + timedelta(seconds=120),
        sentence="no spot capacity in 6 of 6 pools",
    )

    decided = plan(situation(demand=100, backoff=backoff))

    assert decided.actions == ()
    assert decided.sentence == "no spot capacity in 6 of 6 pools, next try in 2 min"
    past = replace(situation(demand=100), backoff=Backoff(failures=1, until=NOW))
    assert launched(plan(past)) == 5


def test_a_wish_is_launched_whatever_the_backlog_and_only_once() -> None:
    wish = Wish(id="w", count=3, max_price=0.5)

    first = plan(situation(wishes=(wish,)))
    second = plan(situation(wishes=(wish,), intents=(intent(count=3, wish="w"),)))

    assert first.actions == (Launch(count=3, wish="w", max_price=0.5),)
    assert first.granted == second.granted == ("w",)
    assert launched(second) == 0


def test_a_wish_does_not_exceed_the_most_instances() -> None:
    decided = plan(situation(wishes=(Wish(id="w", count=50),), instances=running(4)))

    assert launched(decided) == 6


def test_a_wish_counts_for_the_backlog_too() -> None:
    decided = plan(situation(demand=100, wishes=(Wish(id="w", count=3),)))

    assert decided.actions == (Launch(count=3, wish="w"), Launch(count=2))


def test_a_launch_without_an_answer_is_sent_again_while_its_token_is_known() -> None:
    young, old = intent("young", age=90), intent("old", age=3600)

    decided = plan(
        situation(demand=10, intents=(young, old), instances=(instance(1, launch="old"),))
    )

    assert decided.actions == (Replay(intent=young), Settle(intent=old, instances=("i-1",)))


def test_a_stopped_job_sends_no_launch_again() -> None:
    decided = plan(situation(stopped=True, intents=(intent(age=90),)))

    assert decided.actions == ()
    assert not decided.finished


def test_replacements_without_tags_are_adopted() -> None:
    decided = plan(situation(demand=10, instances=running(1), untagged=("i-0",)))

    assert Adopt(ids=("i-0",)) in decided.actions


def test_when_the_work_is_over_requests_are_cancelled_before_anything_is_terminated() -> None:
    held = instance(0, request="sir-0")
    there = {"instances": (held, instance(1)), "empty": True}

    first = plan(situation(requests=(request(0, of="i-0"),), **there))
    cancelled = request(0, state="cancelled", of="i-0")
    second = plan(situation(requests=(cancelled,), **there))
    long_ago = NOW - timedelta(seconds=301)
    third = plan(situation(requests=(cancelled,), draining_since=long_ago, **there))

    assert first.actions == (CancelRequests(ids=("sir-0",)),)
    assert second.actions == ()
    assert second.draining
    assert second.sentence == "no work left: letting 2 instances end, at most 5 min more"
    assert third.actions == (Terminate(ids=("i-0", "i-1")),)


def test_open_and_disabled_requests_are_cancelled_too() -> None:
    requests = tuple(
        request(number, state=state)
        for number, state in enumerate(("open", "active", "disabled", "cancelled", "closed"))
    )

    decided = plan(situation(requests=requests, empty=True))

    assert decided.actions == (CancelRequests(ids=("sir-0", "sir-1", "sir-2")),)


def test_workers_get_the_whole_grace_after_the_cancelling() -> None:
    decided = plan(
        situation(instances=running(1), empty=True, draining_since=NOW - timedelta(seconds=299))
    )

    assert decided.actions == ()
    assert decided.draining


def test_an_instance_that_is_shutting_down_is_waited_for() -> None:
    decided = plan(situation(instances=(instance(0, state="shutting-down"),), empty=True))

    assert decided.actions == ()
    assert not decided.finished
    assert plan(situation(instances=(instance(0, state="terminated"),), empty=True)).finished


def test_the_panic_button_waits_for_nobody() -> None:
    decided = plan(
        situation(
            demand=1000,
            stopped=True,
            instances=(instance(0, request="sir-0"), instance(1)),
            requests=(request(0, of="i-0"),),
            wishes=(Wish(id="w", count=1),),
        )
    )

    assert decided.actions == (CancelRequests(ids=("sir-0",)), Terminate(ids=("i-1",)))
    assert decided.look_again
    assert decided.sentence == "stopped: cancelling 1 spot request, terminating 1 instance"


def test_a_deleted_job_is_finished_only_when_nothing_is_left() -> None:
    assert plan(situation(deleting=True)).finished
    assert not plan(situation(deleting=True, intents=(intent(),))).finished
    assert not plan(situation(deleting=True, instances=running(1))).finished
    ending = (instance(0, state="shutting-down"),)
    assert not plan(situation(deleting=True, instances=ending)).finished


STATES = ("pending", "running", "stopping", "stopped", "shutting-down", "terminated")
REQUEST_STATES = ("open", "active", "disabled", "closed", "cancelled", "failed")
STATUSES = (
    "fulfilled",
    "pending-evaluation",
    "marked-for-termination",
    "instance-stopped-by-user",
    "instance-stopped-no-capacity",
)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    numbers = st.integers(0, 12)
    instances = {
        number: instance(
            number,
            state=draw(st.sampled_from(STATES)),
            request=draw(st.sampled_from(("", "sir-0", "sir-1", "sir-2", "sir-3"))),
            launch=draw(st.sampled_from(("", "a", "b"))),
        )
        for number in draw(st.sets(numbers))
    }
    requests = [
        request(
            number,
            state=draw(st.sampled_from(REQUEST_STATES)),
            kind=draw(st.sampled_from(("persistent", "one-time"))),
            status=draw(st.sampled_from(STATUSES)),
            of=draw(st.sampled_from(("", *(f"i-{number}" for number in range(13))))),
        )
        for number in draw(st.sets(st.integers(0, 5)))
    ]
    intents = [
        intent(
            name,
            count=draw(st.integers(1, 5)),
            age=draw(st.sampled_from((1, 200, 400, 4000))),
            made=draw(st.none() | st.tuples(st.sampled_from(("i-1", "i-77")))),
        )
        for name in draw(st.sets(st.sampled_from("abc")))
    ]
    ago = draw(st.none() | st.integers(0, 1000))
    return situation(
        demand=draw(st.none() | st.integers(-1, 10_000)),
        instances=tuple(instances.values()),
        requests=tuple(requests),
        intents=tuple(intents),
        stopped=draw(st.booleans()),
        deleting=draw(st.booleans()),
        empty=draw(st.booleans()),
        draining_since=None if ago is None else NOW - timedelta(seconds=ago),
        limits=Limits(
            max_instances=draw(st.integers(1, 60)),
            drain_seconds=draw(st.integers(1, 3600)),
            slots=draw(st.integers(0, 64)),
            seconds_per_task=draw(st.floats(0, 36_000)),
        ),
        wishes=tuple(
            Wish(id=str(number), count=draw(st.integers(1, 50)))
            for number in range(draw(st.integers(0, 2)))
        ),
    )


@given(situations())
def test_launches_never_exceed_what_is_wanted_or_allowed(s: Situation) -> None:
    decided = plan(s)
    fitted = sum(a.count for a in decided.actions if isinstance(a, Launch) and not a.wish)

    assert all(a.count > 0 for a in decided.actions if isinstance(a, Launch))
    assert launched(decided) <= max(0, s.limits.max_instances - s.holdings.occupied)
    if fitted:
        assert fitted + s.holdings.capacity <= planning.wanted(s.demand or 0, s.limits)
    if s.stopped or s.deleting or s.empty:
        assert launched(decided) == 0


@given(situations())
def test_only_what_was_seen_is_acted_on(s: Situation) -> None:
    seen = {each.id for each in (*s.holdings.instances, *s.holdings.requests)}

    for action in plan(s).actions:
        if isinstance(action, CancelRequests | Terminate):
            assert action.ids
            assert seen.issuperset(action.ids)


@given(situations())
def test_nothing_is_terminated_while_a_request_would_start_it_again(s: Situation) -> None:
    requests = s.holdings.requests
    live = [each for each in requests if each.state in ("open", "active", "disabled")]
    held = {each.instance for each in live if each.type == "persistent"}
    holding = {each.id for each in live if each.type == "persistent"}
    by_id = {each.id: each for each in s.holdings.instances}

    for action in plan(s).actions:
        if isinstance(action, Terminate):
            assert not held.intersection(action.ids)
            assert not holding.intersection(by_id[id_].request for id_ in action.ids)


@given(situations())
def test_a_busy_fleet_is_never_scaled_down(s: Situation) -> None:
    working = replace(s, stopped=False, deleting=False, empty=False)

    assert not [a for a in plan(working).actions if isinstance(a, Terminate | CancelRequests)]


@given(situations())
def test_what_is_finished_has_nothing_left_that_costs(s: Situation) -> None:
    if plan(s).finished:
        assert s.holdings.nothing
