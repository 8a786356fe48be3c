"""The closed set of what an attempt may come to.

outcome            counted  what it means
done               yes      exit code 0, every output stored
program-error      yes      the program ended with another exit code or by a signal
timeout            yes      it ran longer than `timeout`
out-of-memory      yes      the kernel killed it for memory
disk-full          yes      the scratch disk was full
input-missing      no       the input object is gone: the task is skipped
output-collision   yes      another input already made an output of this key
bad-output         yes      it named an output that leads outside its scratch directory
infrastructure     yes      S3, SQS or the ledger failed beyond the client's own retries
interrupted        no       spot reclaim, shutdown or a lost machine
"""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What one attempt came to."""

    DONE = "done"
    PROGRAM_ERROR = "program-error"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out-of-memory"
    DISK_FULL = "disk-full"
    INPUT_MISSING = "input-missing"
    OUTPUT_COLLISION = "output-collision"
    BAD_OUTPUT = "bad-output"
    INFRASTRUCTURE = "infrastructure"
    INTERRUPTED = "interrupted"


class State(StrEnum):
    """Where a task stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


OPEN = (State.QUEUED, State.RUNNING)
ENDED = (State.DONE, State.FAILED, State.SKIPPED)
RETRIABLE = (State.FAILED, State.SKIPPED)
# What a task may come to that has failed or been skipped.
OF_RETRIABLE = tuple(one for one in Outcome if one not in (Outcome.DONE, Outcome.INTERRUPTED))
