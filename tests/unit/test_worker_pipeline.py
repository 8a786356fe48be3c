"""The pipeline on fakes: every way a task may go, and every service error on the way."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from aws_parallelizer.aws.dynamodb import Document, Key
from aws_parallelizer.aws.object_errors import ObjectFailure
from aws_parallelizer.core.outcome import Outcome, State
from aws_parallelizer.worker import pipeline
from aws_parallelizer.worker.pipeline import QueueGone
from fakes.objects import Kept
from pipelines import Plant, until_true

COPY = 'cp "$1" "$1.out"; echo "$1.out"'


def service_error(code: str = "InternalError") -> ClientError:
    return ClientError({"Error": {"Code": code}}, "Something")


def test_a_task_is_done_recorded_and_its_message_deleted(tmp_path: Path) -> None:
    plant = Plant(tmp_path, COPY)
    plant.put("data/dir/a b+c%20é.txt", b"body")
    assert "the queue had nothing" in plant.run()
    row = plant.row("data/dir/a b+c%20é.txt")
    assert (row.state, row.outcome, row.attempts, row.exit_code) == (
        State.DONE,
        Outcome.DONE,
        1,
        0,
    )
    assert (row.instance, row.environment, row.size) == ("i-1", "v1", 4)
    [output] = row.outputs
    assert output.key == "results/dir/a b+c%20é.txt.out"  # the directory is kept
    assert output.checksum == f"sha256:{hashlib.sha256(b'body').hexdigest()}"
    assert plant.output(output.key) == b"body"
    assert plant.queue.counts().total == 0
    assert plant.left == []


def test_the_program_is_told_what_it_works_on_and_nothing_of_ours(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "env; echo in $(pwd); echo $(ls -d $TMPDIR) is there")
    plant.put("data/a")
    plant.run()
    lines = plant.row("data/a").last_output.splitlines()
    told = dict(line.split("=", 1) for line in lines if "=" in line)
    scratch = tmp_path / "scratch" / "tasks" / "1"
    for of_the_shell in ("PWD", "OLDPWD", "SHLVL", "_"):
        told.pop(of_the_shell, None)
    assert told == {
        "HOME": f"{scratch}/work",
        "LANG": "C.UTF-8",
        "PARALLELIZER_ATTEMPT": "1",
        "PARALLELIZER_BUCKET": "in",
        "PARALLELIZER_JOB": "job",
        "PARALLELIZER_KEY": "data/a",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TMPDIR": f"{scratch}/tmp",
    }
    assert lines[-2:] == [f"in {scratch}/work", f"{scratch}/tmp is there"]


def test_defect_1_5_and_22_a_failing_program_is_retried_and_then_failed(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "echo why it failed >&2; exit 3", max_attempts=2)
    plant.put("data/a")
    plant.run()
    row = plant.row("data/a")
    assert (row.state, row.outcome, row.attempts, row.exit_code) == (
        State.FAILED,
        Outcome.PROGRAM_ERROR,
        2,
        3,
    )
    assert row.last_output == "why it failed\n"
    assert plant.objects.kept["out", row.log_key].body == b"why it failed\n"
    assert row.log_key == "results/.logs/data/a.2.log"
    assert plant.queue.counts().total == 0
    assert plant.left == []


def test_defect_4_a_named_output_that_is_not_there_is_recorded(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "echo result.txt")
    plant.put("data/a")
    plant.run()
    row = plant.row("data/a")
    assert (row.state, row.outputs, row.last_output) == (
        State.DONE,
        (),
        "result.txt\n",
    )


@pytest.mark.parametrize(
    ("keep", "script", "kept"),
    [
        ("always", "echo x", True),
        ("always", "exit 0", False),
        ("failed", "echo x", False),
        ("failed", "echo x; exit 1", True),
        ("never", "echo x; exit 1", False),
    ],
)
def test_logs_are_kept_as_asked(tmp_path: Path, keep: str, script: str, kept: bool) -> None:
    plant = Plant(tmp_path, script, keep_logs=keep, max_attempts=1)
    plant.put("data/a")
    plant.run()
    assert bool(plant.row("data/a").log_key) == kept


def test_an_input_that_is_gone_is_skipped(tmp_path: Path) -> None:
    plant = Plant(tmp_path, COPY)
    plant.put("data/a")
    del plant.objects.kept["in", "data/a"]
    plant.run()
    row = plant.row("data/a")
    assert (row.state, row.outcome, row.attempts) == (State.SKIPPED, Outcome.INPUT_MISSING, 0)
    assert plant.queue.counts().total == 0


def test_defect_12_two_inputs_of_one_name_in_two_directories_do_not_collide(tmp_path: Path) -> None:
    plant = Plant(tmp_path, COPY)
    plant.put("data/x/same", b"x")
    plant.put("data/y/same", b"y")
    plant.run()
    assert plant.output("results/x/same.out") == b"x"
    assert plant.output("results/y/same.out") == b"y"


def test_defect_12_an_output_that_another_input_made_is_a_collision_and_stays(
    tmp_path: Path,
) -> None:
    plant = Plant(tmp_path, "echo $PARALLELIZER_KEY > same; echo same", max_attempts=1)
    plant.put("data/a b")
    plant.run()
    plant.put("data/c")
    plant.run()
    row = plant.row("data/c")
    assert (row.state, row.outcome) == (State.FAILED, Outcome.OUTPUT_COLLISION)
    assert "'in/data/a b'" in row.reason
    assert "'in/data/c'" in row.reason
    assert plant.output("results/same") == b"data/a b\n"


def test_the_same_input_may_make_its_output_again(tmp_path: Path) -> None:
    plant = Plant(tmp_path, COPY)
    plant.put("data/a", b"new")
    plant.objects.kept["out", "results/a.out"] = Kept(b"old", "in/data/a")
    plant.run()
    assert plant.row("data/a").state == State.DONE
    assert plant.output("results/a.out") == b"new"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo /etc/passwd", "outside"),
        ("ln -s /etc/passwd link; echo link", "outside"),
        ("mkdir d; ln -s .. d/up; echo d", "outside|loop"),
        ("mkdir .logs; touch .logs/a; echo .logs", "where the logs are kept"),
    ],
)
def test_an_output_that_may_not_be_is_a_bad_output(tmp_path: Path, script: str, said: str) -> None:
    plant = Plant(tmp_path, script, max_attempts=1)
    plant.put("data/a")
    plant.run()
    row = plant.row("data/a")
    assert (row.outcome, row.exit_code) == (Outcome.BAD_OUTPUT, 0)
    assert any(word in row.reason for word in said.split("|"))
    assert list(plant.objects.kept) in (
        [("in", "data/a")],
        [("in", "data/a"), ("out", row.log_key)],
    )


def test_an_output_that_would_become_an_input_is_a_bad_output(tmp_path: Path) -> None:
    places = {"output_bucket": "in", "output_prefix": "", "max_attempts": 1}
    plant = Plant(tmp_path, "touch out; echo out", **places)
    plant.put("data/data/a")  # its directory below data/ is data/ again
    plant.put("data/b")
    plant.run()
    row = plant.row("data/data/a")
    assert (row.outcome, "among the inputs" in row.reason) == (Outcome.BAD_OUTPUT, True)
    assert plant.row("data/b").outcome == Outcome.DONE
    assert ("in", "data/out") not in plant.objects.kept


def test_several_outputs_and_a_directory_are_all_stored(tmp_path: Path) -> None:
    plant = Plant(
        tmp_path, "mkdir -p d/e; echo 1 > d/e/1; echo 2 > d/2; echo 3 > 3; echo 3; echo d"
    )
    plant.put("data/sub/a")
    plant.run()
    keys = [output.key for output in plant.row("data/sub/a").outputs]
    assert keys == ["results/sub/3", "results/sub/d/2", "results/sub/d/e/1"]
    assert plant.output("results/sub/d/e/1") == b"1\n"


def test_an_input_named_as_a_file_of_the_environment_gets_a_directory(tmp_path: Path) -> None:
    plant = Plant(tmp_path, 'cat "$1"; echo "$1"')
    plant.put("data/run.sh", b"not the program\n")
    plant.run()
    assert plant.row("data/run.sh").last_output == "not the program\ninput/run.sh\n"


def test_defect_10_a_program_that_takes_too_long_is_a_timeout(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "echo begun; sleep 100", timeout=1, max_attempts=1)
    plant.put("data/a")
    plant.run()
    row = plant.row("data/a")
    assert (row.state, row.outcome, row.last_output) == (
        State.FAILED,
        Outcome.TIMEOUT,
        "begun\n",
    )


def test_defect_6_and_7_every_slot_survives_every_service_error(tmp_path: Path) -> None:
    plant = Plant(tmp_path, COPY)
    for number in range(12):
        plant.put(f"data/{number}", b"body")
    plant.queue.failures = [service_error(), EndpointConnectionError(endpoint_url="x")] * 2
    plant.objects.failures = [ObjectFailure("503 SlowDown")] * 8
    plant.run()
    rows = [plant.row(f"data/{number}") for number in range(12)]
    assert {(row.state, row.attempts) for row in rows} == {(State.DONE, 1)}


def test_a_ledger_that_fails_for_a_while_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant = Plant(tmp_path, COPY)
    for number in range(12):
        plant.put(f"data/{number}", b"body")
    failures = [service_error("ProvisionedThroughputExceededException")] * 6
    write, lock = plant.table.write, threading.Lock()

    def failing(documents: object) -> list[bool]:
        with lock:
            failure = failures.pop() if failures else None
        if failure:
            raise failure
        return write(documents)  # type: ignore[arg-type]

    monkeypatch.setattr(plant.table, "write", failing)
    plant.run()
    assert {plant.row(f"data/{number}").state for number in range(12)} == {State.DONE}
    assert plant.queue.counts().total == 0


def test_defect_7_a_download_that_goes_on_failing_fails_the_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant = Plant(tmp_path, COPY, max_attempts=1)
    plant.put("data/a")

    async def failing(*_arguments: object, **_more: object) -> None:
        raise ObjectFailure("503 SlowDown")

    monkeypatch.setattr(plant.objects, "download", failing)
    plant.run()
    row = plant.row("data/a")
    assert (row.state, row.outcome) == (State.FAILED, Outcome.INFRASTRUCTURE)


def test_a_worker_that_lost_its_lease_cannot_overwrite_a_later_result(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plant = Plant(tmp_path, f"until [ -e {tmp_path}/go ]; do sleep 0.01; done; exit 1")
    plant.put("data/a")

    async def another_takes_over() -> None:
        await until_true(lambda: plant.row("data/a").state == State.RUNNING)
        assert plant.ledger
        done = msgspec.structs.replace(plant.row("data/a"), state=State.DONE, instance="i-2")
        assert plant.ledger.write([done])[0]
        (tmp_path / "go").touch()

    with caplog.at_level(logging.WARNING):
        plant.run(meanwhile=another_takes_over)
    assert (plant.row("data/a").state, plant.row("data/a").instance) == (State.DONE, "i-2")
    assert plant.queue.counts().in_flight == 1  # not ours to delete
    assert "the lease was lost" in caplog.text


def test_an_object_that_changed_since_its_message_is_still_tried_again(tmp_path: Path) -> None:
    plant = Plant(tmp_path, f"[ -e {tmp_path}/second ] || {{ touch {tmp_path}/second; exit 1; }}")
    plant.put("data/a")
    plant.objects.kept["in", "data/a"] = Kept(b"newer")
    plant.run()
    row = plant.row("data/a")
    assert (row.state, row.attempts, row.size) == (State.DONE, 2, 5)
    assert row.etag == hashlib.md5(b"newer").hexdigest()


def test_tasks_that_cannot_be_claimed_are_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant = Plant(tmp_path, COPY, visibility_timeout=1, idle_timeout=2)
    plant.put("data/a")
    get_many = plant.table.get_many
    failures = [KeyError("nobody foresaw this")]

    def failing_once(keys: Iterable[Key]) -> dict[Key, Document]:
        if failures:
            raise failures.pop()
        return get_many(keys)

    monkeypatch.setattr(plant.table, "get_many", failing_once)
    plant.run()
    assert plant.row("data/a").state == State.DONE


def test_a_message_of_work_that_is_done_is_dropped(tmp_path: Path) -> None:
    plant = Plant(tmp_path, f"echo run >> {tmp_path}/runs")
    plant.put("data/a", messages=5)
    plant.run()
    assert (tmp_path / "runs").read_text() == "run\n"
    assert plant.queue.counts().total == 0


def test_a_bare_key_is_a_task_as_the_java_program_sent_it(tmp_path: Path) -> None:
    plant = Plant(tmp_path, COPY)
    plant.objects.kept["in", "data/it's"] = Kept(b"body")
    plant.queue.send(["data/it's"])
    plant.run()
    assert plant.output("results/it's.out") == b"body"
    row = plant.row("data/it's")
    assert (row.state, row.size, row.etag) == (
        State.DONE,
        4,
        hashlib.md5(b"body").hexdigest(),
    )


def test_without_a_ledger_the_queue_alone_is_enough(tmp_path: Path) -> None:
    plant = Plant(
        tmp_path, f'echo run >> {tmp_path}/runs; [ "$1" = bad ] && exit 1; {COPY}', max_attempts=2
    )
    plant.ledger = None
    plant.put("data/good", b"body")
    plant.put("data/bad")
    plant.run()
    assert plant.output("results/good.out") == b"body"
    assert (tmp_path / "runs").read_text() == "run\n" * 3
    assert plant.queue.counts().total == 0


def test_a_message_that_is_no_task_is_left_and_holds_nobody_up(tmp_path: Path) -> None:
    plant = Plant(tmp_path, COPY)
    plant.queue.send(['{"v": 99, "key": "x"}'])
    plant.put("data/a")
    plant.run()
    assert plant.row("data/a").state == State.DONE
    assert plant.queue.counts().in_flight == 1


def test_a_queue_that_is_gone_ends_the_worker(tmp_path: Path) -> None:
    plant = Plant(tmp_path, COPY)
    plant.queue.failures = [service_error("QueueDoesNotExist")]
    with pytest.raises(QueueGone):
        plant.run()


def test_a_halt_releases_what_runs_and_counts_nothing(tmp_path: Path) -> None:
    plant = Plant(tmp_path, f"touch {tmp_path}/began; sleep 100")
    for number in range(4):
        plant.put(f"data/{number}")

    async def halt() -> None:
        await until_true((tmp_path / "began").exists)
        plant.stop.halt("SIGTERM")

    started = time.monotonic()
    assert plant.run(meanwhile=halt) == "SIGTERM"
    assert time.monotonic() - started < pipeline.POLL_SECONDS + 5
    rows = [plant.row(f"data/{number}") for number in range(4)]
    assert {(row.state, row.attempts) for row in rows} == {(State.QUEUED, 0)}
    assert {(row.outcome, row.reason) for row in rows} <= {
        (Outcome.INTERRUPTED, "SIGTERM"),
        (None, ""),
    }
    assert plant.queue.counts().visible == 4
    assert plant.left == []


def test_defect_9_a_queue_that_was_empty_once_does_not_end_a_worker(tmp_path: Path) -> None:
    plant = Plant(tmp_path, COPY, idle_timeout=8)

    async def later() -> None:
        await until_true(lambda: plant.queue.calls.count("receive") == 2)
        plant.put("data/late")
        await until_true(lambda: plant.row("data/late").state == State.DONE)
        plant.stop.drain("seen enough")

    assert plant.run(meanwhile=later) == "seen enough"


def test_defect_13_two_attempts_at_once_have_a_directory_each(tmp_path: Path) -> None:
    both_here = f"touch {tmp_path}/$1; while [ $(ls {tmp_path} | grep -c same) -lt 2 ]; do :; done"
    plant = Plant(tmp_path, f"echo of $1 > mine.txt; {both_here}; echo mine.txt")
    plant.put("data/1/same-a")
    plant.put("data/2/same-b")
    plant.run(slots=2)
    assert plant.output("results/1/mine.txt") == b"of same-a\n"
    assert plant.output("results/2/mine.txt") == b"of same-b\n"


def test_while_draining_short_tasks_finish_and_no_new_one_starts(tmp_path: Path) -> None:
    plant = Plant(tmp_path, f"touch {tmp_path}/began; sleep 0.5")
    for number in range(6):
        plant.put(f"data/{number}")

    async def drain() -> None:
        await until_true((tmp_path / "began").exists)
        plant.stop.drain("a spot notice")

    assert plant.run(slots=1, meanwhile=drain) == "a spot notice"
    states = [plant.row(f"data/{number}").state for number in range(6)]
    assert sorted(states) == [State.DONE] + [State.QUEUED] * 5
    assert plant.queue.counts().visible == 5


def test_defect_8_leases_are_renewed_every_third_and_an_error_does_not_end_that(
    tmp_path: Path,
) -> None:
    plant = Plant(tmp_path, "sleep 1.5", visibility_timeout=1)
    plant.put("data/a")

    async def fail_once() -> None:
        await until_true(lambda: plant.row("data/a").state == State.RUNNING)
        plant.queue.failures = [service_error()]

    plant.run(meanwhile=fail_once)
    row = plant.row("data/a")
    assert (row.state, row.reclaims) == (State.DONE, 0)
    assert len(plant.queue.extended) >= 3
    assert plant.queue.counts().total == 0


def test_many_short_tasks_take_few_calls(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "true")
    for number in range(200):
        plant.put(f"data/{number}")
    plant.run()
    working = [call for call in plant.queue.calls if call in ("receive", "delete")]
    assert (
        len(working) < 200
    )  # one by one they would be 400; how many fewer, the machine's load says
    assert plant.objects.calls.count("download") == 200
