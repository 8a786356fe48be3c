"""What holds for every plan, whatever the situation."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from aws_parallelizer.core.fleet import Backoff, Phase
from aws_parallelizer.core.job import Wish
from chalicelib import planning
from chalicelib.actions import CancelRequests, Launch, Start, Terminate
from chalicelib.planning import plan
from chalicelib.situation import Limits, Situation
from situations import NOW, beat, instance, intent, launched, mark, request, situation

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
def backoffs(draw: st.DrawFn) -> Backoff:
    return Backoff(
        failures=draw(st.integers(0, 5)),
        until=NOW + timedelta(seconds=draw(st.sampled_from((-60, 60)))),
        kind=draw(st.sampled_from(("capacity", "price", "configuration"))),
        since=NOW - timedelta(minutes=draw(st.sampled_from((1, 60)))),
        sentence="EC2 refuses",
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
            age=draw(st.sampled_from((1, 500, 10_000))),
            spot=draw(st.booleans()),
            protected=draw(st.sampled_from((False, False, False, True))),
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
            judged=draw(st.booleans()),
        )
        for name in draw(st.sets(st.sampled_from("abc")))
    ]
    beats = [
        beat(
            number,
            ago=draw(st.sampled_from((10, 300, 900))),
            phase=draw(st.sampled_from(list(Phase))),
            ready=draw(st.booleans()),
        )
        for number in draw(st.sets(numbers))
    ]
    marks = [
        mark(number, action=draw(st.sampled_from(("terminate", "stop", "rebalance"))))
        for number in draw(st.sets(numbers))
    ]
    ago = draw(st.none() | st.integers(0, 1000))
    return situation(
        demand=draw(st.none() | st.integers(-1, 10_000)),
        instances=tuple(instances.values()),
        requests=tuple(requests),
        intents=tuple(intents),
        beats=tuple(beats),
        marks=tuple(marks),
        waiting_since={
            f"sir-{number}": NOW - timedelta(seconds=draw(st.sampled_from((60, 900))))
            for number in draw(st.sets(st.integers(0, 5)))
        },
        condemned=frozenset(f"i-{number}" for number in draw(st.sets(numbers))),
        backoff=draw(backoffs()),
        on_demand_backoff=draw(backoffs()),
        breaker=draw(backoffs()),
        held={f"i-{number}": draw(backoffs()) for number in draw(st.sets(numbers))},
        paused=draw(st.booleans()),
        stays=draw(st.booleans()),
        spent=draw(st.floats(0, 10)),
        stopped=draw(st.booleans()),
        deleting=draw(st.booleans()),
        empty=draw(st.booleans()),
        draining_since=None if ago is None else NOW - timedelta(seconds=ago),
        limits=Limits(
            max_instances=draw(st.integers(1, 60)),
            drain_seconds=draw(st.integers(1, 3600)),
            slots=draw(st.integers(0, 64)),
            seconds_per_task=draw(st.floats(0, 36_000)),
            budget=draw(st.none() | st.just(5.0)),
            on_demand_after=draw(st.none() | st.just(timedelta(minutes=20))),
        ),
        wishes=tuple(
            Wish(id=str(number), count=draw(st.integers(1, 50)))
            for number in range(draw(st.integers(0, 2)))
        ),
    )


@given(situations())
def test_launches_never_exceed_what_is_wanted_or_allowed(s: Situation) -> None:
    decided = plan(s)
    started = sum(len(a.ids) for a in decided.actions if isinstance(a, Start))
    fitted = sum(a.count for a in decided.actions if isinstance(a, Launch) and not a.wish)

    assert all(a.count > 0 for a in decided.actions if isinstance(a, Launch))
    room = max(0, s.limits.max_instances - s.holdings.occupied)
    assert started + launched(decided) <= room
    if started + fitted:
        assert started + fitted + s.holdings.capacity <= planning.wanted(s.demand or 0, s.limits)
    if s.stopped or s.deleting or s.empty or s.paused or s.overspent:
        assert started + launched(decided) == 0


@given(situations())
def test_while_ec2_refuses_nothing_is_bought_of_the_kind_that_it_refuses(s: Situation) -> None:
    for action in plan(s).actions:
        if isinstance(action, Launch):
            backoff = s.on_demand_backoff if action.on_demand else s.backoff
            assert backoff.until is None or backoff.until <= s.now


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
def test_what_works_is_never_scaled_down(s: Situation) -> None:
    fitting = replace(s, stopped=False, deleting=False, empty=False)
    holdings = s.holdings
    busy = {each.id for each in holdings.working} | {
        each.id
        for each in holdings.standing
        if (said := holdings.beat_of(each.id))
        and said.phase is Phase.DRAINING
        and said.ready
        and each.id not in holdings.suspects
    }

    for action in plan(fitting).actions:
        if isinstance(action, Terminate):
            assert not busy.intersection(action.ids)


@given(situations())
def test_nothing_ends_a_protected_instance(s: Situation) -> None:
    protected = {each.id for each in s.holdings.instances if each.protected}
    standing = {each.id for each in s.holdings.protected}
    stopped = {
        each.id
        for each in s.holdings.requests
        if each.state == "disabled" and each.instance in standing
    }

    for action in plan(s).actions:
        if isinstance(action, Terminate):
            assert not protected.intersection(action.ids)
        if isinstance(action, CancelRequests):
            assert not stopped.intersection(action.ids)


@given(situations())
def test_what_is_finished_has_nothing_left_that_costs(s: Situation) -> None:
    if plan(s).finished:
        assert s.holdings.nothing
