"""Random lives of workers, with a fault at any point between two calls, and what holds throughout:

- every task ends done, failed or skipped;
- the outputs of a task that is done are those of the attempt that its row speaks of, and of the
  newest object; nothing of another attempt takes their place;
- no message is deleted before its row has ended, or another message stands for it;
- counted attempts never exceed maxAttempts, and what a worker does not end is not counted;
- a worker that ends leaves no scratch directory.

`HYPOTHESIS_PROFILE=thorough` tells thousands of stories. One that fails is written down in
test_worker_stories.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import hypothesis
from hypothesis import given
from hypothesis import strategies as st

from fakes.faults import Fault
from lives.events import Break, Delay, Delete, Fate, Kind, Meet, RunOut, Storm, Upload, Wait
from lives.story import Event, tell

which = st.integers(0, 3)
calls = st.integers(1, 40)
kinds = st.sampled_from(Kind)
uploads = st.builds(
    Upload,
    kinds,
    st.integers(0, 2),
    st.sampled_from([0, 0, 5, 90]),
    st.sampled_from([1, 1, 2]),
    st.booleans(),
)
events = st.one_of(
    uploads,
    st.builds(Wait, st.sampled_from([0.02, 0.05, 1, 10, 40, 100])),
    st.builds(Break, calls, st.sampled_from(Fault)),
    st.builds(Delay, calls, st.sampled_from([0, 40, 200]), st.sampled_from([0, 40, 200])),
    st.builds(Meet, st.sampled_from(Fate), which),
    st.builds(Delete, kinds, st.integers(0, 2)),
    st.builds(Storm, st.sampled_from(["s3", "sqs", "dynamodb"]), st.sampled_from([60, 400])),
    st.builds(RunOut),
)

MANY = 1000
STORIES = hypothesis.settings().max_examples


# In the quick profile the same stories each time: what fails for one fails for all.
@hypothesis.settings(max_examples=STORIES, derandomize=STORIES < MANY)
@given(st.lists(events, max_size=25))
def test_whatever_befalls_workers_every_task_ends_and_its_bytes_are_right(
    befalls: Sequence[Event],
) -> None:
    tell(Upload(), Upload(Kind.PAIR), Upload(Kind.SLOW), Wait(0.05), *befalls)
