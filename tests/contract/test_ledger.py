"""What `Ledger` and `Registry` promise, on the fake table and on ministack's DynamoDB."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

import emulator
from aws_parallelizer.aws.dynamodb import Key, Table
from aws_parallelizer.aws.ledger import Ledger
from aws_parallelizer.aws.registry import Answer, Registry
from aws_parallelizer.core import task
from aws_parallelizer.core.enqueue import Progress
from aws_parallelizer.core.errors import Conflict, NotFound
from aws_parallelizer.core.fleet import Fleet, Intent
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.message import Message
from aws_parallelizer.core.outcome import OPEN, State
from aws_parallelizer.core.parameters import Parameters
from aws_parallelizer.core.task import Task
from fakes.table import FakeTable

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PARAMETERS = Parameters(environment_zip="e.zip", analysis_program="run.sh")


@pytest.fixture(params=["fake", "ministack"])
def table(request: pytest.FixtureRequest) -> Table | FakeTable:
    if request.param == "fake":
        return FakeTable()
    dynamodb = emulator.client("dynamodb", request.getfixturevalue("endpoint"))
    name = f"ledger-{uuid.uuid4()}"
    emulator.make_table(dynamodb, name)
    return Table(dynamodb, name=name)


@pytest.fixture
def ledger(table: Table) -> Ledger:
    return Ledger(table)


@pytest.fixture
def registry(table: Table) -> Registry:
    return Registry(table)


def row(key: str, *, job: str = "j", now: datetime = NOW) -> Task:
    made = task.enqueue(
        None, Message(job=job, bucket="b", key=key, etag="e"), sequencer="", now=now
    )
    assert made is not None
    return made


def in_state(stored: Task | None, state: State, *, minutes: int = 0) -> Task:
    assert stored is not None
    since = NOW + timedelta(minutes=minutes)
    return msgspec.structs.replace(stored, state=state, since=since)


def test_a_row_is_found_by_its_key_whatever_the_key_is(ledger: Ledger) -> None:
    keys = ["j/a b+c%20é.txt", "j/it's; rm -rf $(x).txt", "j/日本/語.bin", "j/new\nline"]
    stored = ledger.write([row(key) for key in keys])
    assert [one.version for one in stored if one] == [1] * 4
    assert ledger.get("j", keys[0]) == stored[0]
    assert set(ledger.get_many("j", [*keys, "other"])) == set(keys)
    with pytest.raises(NotFound):
        ledger.get("j", "other")


def test_of_two_results_for_one_task_one_is_refused(ledger: Ledger) -> None:
    [stored] = ledger.write([row("k")])
    assert ledger.write([in_state(stored, State.DONE)])[0] is not None
    assert ledger.write([in_state(stored, State.FAILED)]) == [None]
    assert ledger.get("j", "k").state == State.DONE


def test_counts_by_state_follow_every_change(ledger: Ledger) -> None:
    stored = ledger.write([row(f"k{i}") for i in range(20)])
    ledger.write([in_state(one, State.DONE) for one in stored[:15]])
    ledger.write([row("x", job="other")])
    counts = ledger.counts("j")
    assert (counts[State.QUEUED], counts[State.DONE], counts[State.FAILED]) == (5, 15, 0)
    assert ledger.has_any("j", OPEN)
    assert not ledger.has_any("j", [State.FAILED])


def test_open_tasks_are_found_by_age(ledger: Ledger) -> None:
    ledger.write([row("old"), row("new", now=NOW + timedelta(hours=1))])
    until = NOW + timedelta(minutes=1)
    assert list(ledger.in_states("j", OPEN, until=until)) == ["old"]


def test_tasks_are_found_by_when_they_came_into_a_state(ledger: Ledger) -> None:
    ledger.write([row(f"at {i}", now=NOW + timedelta(minutes=i)) for i in range(4)])
    since, until = NOW + timedelta(minutes=1), NOW + timedelta(minutes=2)
    assert set(ledger.in_states("j", OPEN, since=since)) == {"at 1", "at 2", "at 3"}
    assert set(ledger.in_states("j", OPEN, since=since, until=until)) == {"at 1", "at 2"}


def test_stretches_hold_every_task_of_a_state_once_though_it_leaves_the_state(
    ledger: Ledger,
) -> None:
    stored = ledger.write([row(f"k{i}") for i in range(40)])
    ledger.write([in_state(one, State.FAILED) for one in stored[:35]])
    ledger.write([in_state(one, State.FAILED, minutes=2) for one in stored[35:]])
    seen: list[str] = []
    token = ""
    for _ in range(50):
        page = ledger.stretch(
            "j", State.FAILED, until=NOW + timedelta(minutes=1), token=token, limit=3
        )
        seen.extend(one.key for one in page.tasks)
        ledger.write([in_state(one, State.QUEUED, minutes=3) for one in page.tasks])
        token = page.next
        if not token:
            break
    assert sorted(seen) == sorted(f"k{i}" for i in range(35))


@pytest.mark.parametrize("state", [None, State.QUEUED])
def test_pages_hold_every_task_once_and_end(ledger: Ledger, state: State | None) -> None:
    ledger.write([row(f"a/{i}") for i in range(30)] + [row(f"b/{i}") for i in range(5)])
    seen: list[str] = []
    token = ""
    for _ in range(50):
        page = ledger.page("j", state=state, prefix="a/", token=token, limit=7)
        assert len(page.tasks) <= 7
        seen.extend(one.key for one in page.tasks)
        token = page.next
        if not token:
            break
    assert sorted(seen) == sorted(f"a/{i}" for i in range(30))


def test_a_token_that_no_page_gave_is_refused(ledger: Ledger) -> None:
    for token in ("x", "====", "bm90IGpzb24=", "é"):
        with pytest.raises(ValueError, match="token"):
            ledger.page("j", token=token)


def test_purge_removes_the_jobs_rows_and_no_others(ledger: Ledger) -> None:
    ledger.write([row(f"k{i}") for i in range(12)] + [row("x", job="jj")])
    assert ledger.purge("j") == 12
    assert ledger.purge("j") == 0
    assert ledger.get("jj", "x")


def job(name: str) -> Job:
    return Job(name=name, parameters=PARAMETERS, created=NOW)


def test_a_job_is_stored_once_changed_and_removed(registry: Registry) -> None:
    registry.add_job(job("b"))
    registry.add_job(job("a"))
    with pytest.raises(Conflict):
        registry.add_job(msgspec.structs.replace(job("a"), stopped=True))
    changed = registry.change_job("a", lambda found: msgspec.structs.replace(found, stopped=True))
    assert (changed.stopped, changed.version) == (True, 2)
    assert [one.name for one in registry.jobs()] == ["a", "b"]
    assert not registry.remove_job(msgspec.structs.replace(changed, version=1))
    assert registry.remove_job(changed)
    with pytest.raises(NotFound):
        registry.job("a")


def test_a_change_that_another_writer_overtook_is_made_on_the_newer_job(registry: Registry) -> None:
    registry.add_job(job("a"))
    overtaken = []

    def change(found: Job) -> Job:
        if not overtaken:
            overtaken.append(found)
            registry.change_job("a", lambda one: msgspec.structs.replace(one, purge=True))
        return msgspec.structs.replace(found, stopped=True)

    changed = registry.change_job("a", change)
    assert (changed.stopped, changed.purge) == (True, True)


def test_one_holds_the_lease_and_after_its_end_the_next(
    registry: Registry,
) -> None:
    first = registry.take_lease("reconcile", owner="a", now=NOW, seconds=60)
    assert first is not None
    assert registry.take_lease("reconcile", owner="b", now=NOW, seconds=60) is None
    later = NOW + timedelta(seconds=61)
    second = registry.take_lease("reconcile", owner="b", now=later, seconds=60)
    assert second is not None
    assert second.fence == first.fence + 1
    registry.give_back("reconcile", first, now=later)
    assert registry.take_lease("reconcile", owner="c", now=later, seconds=60) is None
    registry.give_back("reconcile", second, now=later)
    assert registry.take_lease("reconcile", owner="c", now=later, seconds=60)


def test_one_nudge_is_given_in_a_span(registry: Registry) -> None:
    given = [registry.may_nudge(now=NOW + timedelta(seconds=i), seconds=10) for i in range(12)]
    assert given == [True] + [False] * 9 + [True, False]


def test_an_answer_is_kept_until_it_is_old(registry: Registry) -> None:
    kept = Answer(request="r", status=202, body="{}", until=NOW + timedelta(days=1))
    registry.keep_answer("key", kept)
    registry.keep_answer("key", msgspec.structs.replace(kept, status=500))
    assert registry.answer("key", now=NOW) == kept
    assert registry.answer("other", now=NOW) is None
    assert registry.answer("key", now=NOW + timedelta(days=2)) is None
    newer = msgspec.structs.replace(kept, until=NOW + timedelta(days=9))
    registry.keep_answer("key", newer)
    assert registry.answer("key", now=NOW + timedelta(days=2)) == newer


def test_answers_and_enqueues_bear_the_time_at_which_dynamodb_may_drop_them(
    registry: Registry, table: Table | FakeTable
) -> None:
    until = NOW + timedelta(days=1)
    registry.keep_answer("key", Answer(request="r", status=202, body="{}", until=until))
    stored = table.get(Key("answer", "key"))
    assert stored is not None
    assert stored.expires == int(until.timestamp())
    registry.put_progress(progress())
    enqueue = table.get(Key("enqueue#j", "r"))
    assert enqueue is not None
    assert enqueue.expires > NOW.timestamp()
    registry.add_job(job("a"))
    kept = table.get(Key("job", "a"))
    assert kept is not None
    assert kept.expires == 0


def progress() -> Progress:
    return Progress(job="j", run="r", bucket="b", prefix="p/", began=NOW, carried=NOW)


def test_an_enqueue_is_carried_on_by_one_step_at_a_time(registry: Registry) -> None:
    assert registry.progress("j", "r") is None
    first = registry.put_progress(progress())
    further = msgspec.structs.replace(first, after="k", carried=NOW + timedelta(minutes=1))
    assert registry.put_progress(further).version == 2
    with pytest.raises(Conflict):
        registry.put_progress(msgspec.structs.replace(first, after="j"))
    known = registry.progress("j", "r")
    assert known is not None
    assert (known.after, known.version) == ("k", 2)


def test_fleets_and_intents_are_written_by_one_tick_at_a_time(registry: Registry) -> None:
    stored = registry.put_fleet(Fleet(job="j", observed=NOW))
    registry.put_fleet(msgspec.structs.replace(stored, sentence="newer"))
    with pytest.raises(Conflict):
        registry.put_fleet(msgspec.structs.replace(stored, sentence="older"))
    assert registry.fleet("none") is None
    intent = Intent(id="i", job="j", count=1, created=NOW, call="RunInstances", arguments="{}")
    kept = registry.put_intent(intent)
    assert registry.intents("j") == [kept]
    assert registry.remove_intent(kept)
    assert registry.intents("j") == []
