"""A job's name, its settled parameters, and which job an object belongs to."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from aws_parallelizer.core import job as jobs
from aws_parallelizer.core.errors import ParameterError
from aws_parallelizer.core.job import Job, StackDefaults
from aws_parallelizer.core.parameters import Parameters

STACK = StackDefaults(
    input_bucket="in", output_bucket="out", environment_bucket="env", region="us-east-1"
)


def make(name: str, **values: str) -> Job:
    given = Parameters(environment_zip="e.zip", analysis_program="run.sh", **values)  # type: ignore[arg-type]
    settled = jobs.settle(given, job=name, stack=STACK)
    return Job(name=name, parameters=settled, created=datetime(2026, 1, 1, tzinfo=UTC))


def test_defaults_come_from_the_stack_and_the_jobs_name() -> None:
    settled = make("photos").parameters
    assert (settled.input_bucket, settled.input_prefix) == ("in", "photos/")
    assert (settled.output_bucket, settled.output_prefix) == ("out", "photos/")


def test_an_empty_prefix_that_was_given_stays_empty() -> None:
    given = Parameters(environment_zip="e", analysis_program="r", input_prefix="", output_prefix="")
    assert jobs.settle(given, job="x", stack=STACK).input_prefix == ""


@pytest.mark.parametrize("name", ["", "A", "a b", "../x", "a" * 41, "ä", "a\n", "a/b"])
def test_a_name_that_is_not_allowed_is_refused(name: str) -> None:
    with pytest.raises(ParameterError):
        jobs.checked_name(name)


@pytest.mark.parametrize(
    ("own", "others", "name"),
    [
        ({"output_bucket": "in", "output_prefix": "a/out/"}, [], "outputPrefix"),
        ({"output_bucket": "in", "output_prefix": "", "input_prefix": ".logs/"}, [], "inputPrefix"),
        ({"input_prefix": "b/"}, [make("b", input_prefix="b/c/")], "inputPrefix"),
        ({"input_prefix": "b/c/"}, [make("b")], "inputPrefix"),
        ({"input_prefix": ""}, [make("b")], "inputPrefix"),
        ({"output_bucket": "in", "output_prefix": "b/x/"}, [make("b")], "outputPrefix"),
        ({"input_bucket": "out", "input_prefix": "b/"}, [make("b")], "inputPrefix"),
    ],
)
def test_prefixes_that_would_mix_inputs_and_outputs_are_refused(
    own: dict[str, str], others: list[Job], name: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        jobs.check_prefixes("a", make("a", **own).parameters, others)
    assert name in {problem.name for problem in caught.value.problems}


def test_two_jobs_with_default_prefixes_live_side_by_side_and_a_job_may_be_changed() -> None:
    jobs.check_prefixes("a", make("a").parameters, [make("a"), make("b"), make("ab")])


def test_an_object_belongs_to_the_job_whose_prefix_it_is_under() -> None:
    both = [make("a"), make("b")]
    assert jobs.owner(both, bucket="in", key="b/x") is both[1]
    assert jobs.owner(both, bucket="in", key="c/x") is None
    assert jobs.owner(both, bucket="out", key="b/x") is None
