"""Programs that the machine has no memory for, on real processes: killed as the kernel kills, and
reported as a shell reports it.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from aws_parallelizer.core.outcome import Outcome, State
from aws_parallelizer.worker import verdict
from pipelines import Plant

# Runs beside others, says how many at most, and takes a while. The first attempt at the file
# `hungry` does not look before others run.
CROWD = """
mkdir -p {room}/running {room}/most
touch {room}/running/$$
if [ "$1" = hungry ] && [ $PARALLELIZER_ATTEMPT = 1 ]; then
    while [ $(ls {room}/running | wc -l) -lt 3 ]; do sleep 0.01; done
fi
most=0
for look in 1 2 3; do
    now=$(ls {room}/running | wc -l)
    [ "$now" -gt "$most" ] && most=$now
    sleep 0.05
done
echo $most > "{room}/most/$1.$PARALLELIZER_ATTEMPT"
rm {room}/running/$$
"""
KILLED = "sh -c 'kill -9 $$'; exit $?"


def crowd(room: Path, then: str) -> str:
    return CROWD.format(room=room) + then


def most(room: Path, key: str, attempt: int) -> int:
    """How many programs ran at once at the most while this attempt did."""
    return int((room / "most" / f"{key}.{attempt}").read_text())


def test_a_program_killed_for_memory_is_tried_beside_fewer_until_it_has_room(
    tmp_path: Path,
) -> None:
    then = f'[ "$1" = hungry ] && [ $PARALLELIZER_ATTEMPT -lt 3 ] && {{ {KILLED}; }}; exit 0'
    plant = Plant(tmp_path, crowd(tmp_path, then))
    plant.put("data/hungry")
    for number in range(80):
        plant.put(f"data/{number:03}")
    plant.run(slots=4, seconds=60)
    row = plant.row("data/hungry")
    assert (row.state, row.attempts, row.memory_kills) == (State.DONE, 3, 2)
    assert most(tmp_path, "hungry", 2) <= 2
    assert most(tmp_path, "hungry", 3) == 1
    others = [plant.row(f"data/{number:03}") for number in range(80)]
    assert {(other.state, other.attempts) for other in others} == {(State.DONE, 1)}


def test_a_program_that_no_room_is_enough_for_ends_failed(tmp_path: Path) -> None:
    plant = Plant(tmp_path, KILLED, max_attempts=2)
    plant.put("data/hungry")
    plant.run(slots=4)
    row = plant.row("data/hungry")
    assert (row.state, row.outcome, row.attempts) == (State.FAILED, Outcome.OUT_OF_MEMORY, 2)
    assert (row.exit_code, row.memory_kills) == (137, 2)


def test_another_instance_leaves_the_room_too_for_the_row_remembers(tmp_path: Path) -> None:
    plant = Plant(tmp_path, crowd(tmp_path, "exit 0"))
    for number in range(20):
        plant.put(f"data/{number:03}")
    plant.put("data/hungry")
    remembered = msgspec.structs.replace(plant.row("data/hungry"), attempts=2, memory_kills=2)
    assert plant.ledger
    assert plant.ledger.write([remembered])[0]
    for number in range(20, 40):
        plant.put(f"data/{number:03}")
    plant.run(slots=4, seconds=60)
    assert plant.row("data/hungry").state == State.DONE
    assert most(tmp_path, "hungry", 3) == 1


def test_many_programs_that_are_killed_together_are_all_done_in_the_end(tmp_path: Path) -> None:
    then = f"[ $most -gt 2 ] && {{ {KILLED}; }}; exit 0"
    plant = Plant(tmp_path, crowd(tmp_path, then))
    for number in range(12):
        plant.put(f"data/{number:03}")
    plant.run(slots=4, seconds=60)
    rows = [plant.row(f"data/{number:03}") for number in range(12)]
    assert {row.state for row in rows} == {State.DONE}
    assert any(row.memory_kills for row in rows)


def test_what_the_kernel_killed_of_an_earlier_program_is_no_later_ones_want_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict, "_MOMENT_SECONDS", 0)
    counter = tmp_path / "vmstat"
    counter.write_text("oom_kill 7\n")
    # The first did without the process that the kernel killed; a person kills the second.
    script = f'[ "$1" = later ] && kill -9 $$; echo oom_kill 8 > {counter}'
    plant = Plant(tmp_path, script, max_attempts=1)
    plant.vmstat = counter
    plant.put("data/first")
    plant.put("data/later")
    plant.run(slots=1)
    assert plant.row("data/first").state == State.DONE
    assert plant.row("data/later").outcome == Outcome.PROGRAM_ERROR
