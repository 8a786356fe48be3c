"""The pipeline on fakes: the ways that a task may go, and what its program sees."""

from __future__ import annotations

import hashlib
from pathlib import Path

from aws_parallelizer.core.outcome import Outcome, State
from fakes.objects import Kept
from pipelines import Plant

COPY = 'cp "$1" "$1.out"; echo "$1.out"'


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


def test_an_input_that_is_gone_is_skipped(tmp_path: Path) -> None:
    plant = Plant(tmp_path, COPY)
    plant.put("data/a")
    del plant.objects.kept["in", "data/a"]
    plant.run()
    row = plant.row("data/a")
    assert (row.state, row.outcome, row.attempts) == (State.SKIPPED, Outcome.INPUT_MISSING, 0)
    assert plant.queue.counts().total == 0


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


def test_an_object_that_changed_since_its_message_is_still_tried_again(tmp_path: Path) -> None:
    plant = Plant(tmp_path, f"[ -e {tmp_path}/second ] || {{ touch {tmp_path}/second; exit 1; }}")
    plant.put("data/a")
    plant.objects.kept["in", "data/a"] = Kept(b"newer")
    plant.run()
    row = plant.row("data/a")
    assert (row.state, row.attempts, row.size) == (State.DONE, 2, 5)
    assert row.etag == hashlib.md5(b"newer").hexdigest()


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


def test_defect_13_two_attempts_at_once_have_a_directory_each(tmp_path: Path) -> None:
    both_here = f"touch {tmp_path}/$1; while [ $(ls {tmp_path} | grep -c same) -lt 2 ]; do :; done"
    plant = Plant(tmp_path, f"echo of $1 > mine.txt; {both_here}; echo mine.txt")
    plant.put("data/1/same-a")
    plant.put("data/2/same-b")
    plant.run(slots=2)
    assert plant.output("results/1/mine.txt") == b"of same-a\n"
    assert plant.output("results/2/mine.txt") == b"of same-b\n"


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
