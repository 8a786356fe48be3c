"""What holds up a destroy, in the words that a person reads."""

from __future__ import annotations

from datetime import UTC, datetime

from aws_parallelizer.core.fleet import Instance, Intent, SpotRequest
from chalicelib.holdings import Holdings
from deploy.leftovers import JobLeft, Left

NOW = datetime(2025, 1, 1, tzinfo=UTC)
NOTHING = Holdings(now=NOW)


def instance(number: int, state: str = "running", *, protected: bool = False) -> Instance:
    return Instance(
        id=f"i-{number:02}",
        type="c7i.large",
        zone="a",
        state=state,
        launched=NOW,
        protected=protected,
    )


def request(number: int, state: str, kind: str = "persistent") -> SpotRequest:
    return SpotRequest(id=f"sir-{number}", type=kind, state=state, status="")


def test_nothing_left_holds_up_nothing() -> None:
    over = Holdings(
        now=NOW,
        instances=(instance(1, "terminated"), instance(2, "shutting-down")),
        requests=(request(1, "cancelled"), request(2, "closed", "one-time")),
    )
    assert Left(holdings=over, jobs=(JobLeft(name="a"), JobLeft(name="b"))).sentences == []


def test_each_thing_that_is_left_has_a_line() -> None:
    intent = Intent(id="1", job="a", count=2, created=NOW, call="create_fleet", arguments="{}")
    left = Left(
        holdings=Holdings(
            now=NOW,
            instances=(instance(1), instance(2, "stopped")),
            requests=(request(1, "open"), request(2, "disabled")),
            intents=(intent,),
        ),
        jobs=(
            JobLeft(name="a", tasks=1200, messages=1, enqueues=1),
            JobLeft(name="b"),
            JobLeft(name="c", deleting=True),
        ),
        uploads=3,
        given_up=1,
    )
    assert left.sentences == [
        "job a: 1,200 open tasks, 1 message, 1 unfinished enqueue",
        "job c: its deletion",
        "3 messages of new objects that no job has yet",
        "1 message of new objects that were given up",
        "2 instances: i-01 i-02",
        "2 spot requests: sir-1 sir-2",
        "1 launch of which it is not known what became",
    ]


def test_a_long_list_is_cut_and_says_so() -> None:
    many = Holdings(now=NOW, instances=tuple(instance(number) for number in range(23)))
    [line] = Left(holdings=many).sentences
    assert line.startswith("23 instances: i-00 ")
    assert line.endswith(" i-19 and 3 more")


def test_protected_instances_are_known_while_they_stand() -> None:
    ended = instance(2, "terminated", protected=True)
    kept = instance(1, protected=True)
    assert Left(holdings=Holdings(now=NOW, instances=(kept, ended))).protected == (kept,)
