"""The pipeline on fakes: what becomes of a program's outputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from aws_parallelizer.core.outcome import Outcome, State
from fakes.objects import Kept
from pipelines import Plant

COPY = 'cp "$1" "$1.out"; echo "$1.out"'


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
