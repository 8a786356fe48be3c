"""Parameters: reading, checking, writing."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_parallelizer.core import parameters
from aws_parallelizer.core.errors import ParameterError
from aws_parallelizer.core.parameters import NAMES, Parameters

JAVA_FILE = (
    "accessKey=AKIAEXAMPLE\r\n"
    "secretKey=abc/def+ghi==\r\n"
    "EC2SQSRegion=us-west-2\r\n"
    "inputBucket=in.bucket\r\n"
    "outputBucket=out-bucket\r\n"
    "queueURL=https://sqs.us-west-2.amazonaws.com/123456789012/work\r\n"
    "environmentBucket=environments\r\n"
    "environmentPrefix=environment\r\n"
    "environmentZip=environment.zip\r\n"
    "analysisProgram=analysis.sh\r\n"
    "visibilityTimeout=600\r\n"
    "numThreads=0\r\n"
    "shouldShutdown=true\r\n"
    "keyPair=my key\r\n"
    "imageID=ami-1a2b3c4d\r\n"
    "securityGroup=default\r\n"
    "instanceType=M1Small\r\n"
    "shutdownBehavior=terminate\r\n"
    "spotType=on-time\r\n"
)
REQUIRED = "environmentZip=e.zip\nanalysisProgram=run.sh\n"


def problems(text: str) -> dict[str, str]:
    with pytest.raises(ParameterError) as caught:
        parameters.parse_text(text)
    return {problem.name: problem.sentence for problem in caught.value.problems}


def test_a_parameter_file_of_the_java_program_is_read_as_it_is() -> None:
    read = parameters.parse_text(JAVA_FILE).parameters
    assert read.region == "us-west-2"
    assert read.spot_type == "one-time"
    assert read.instance_type == ("m1.small",)
    assert read.environment_prefix == "environment"
    assert read.key_pair == "my key"
    assert read.shutdown_behavior == "terminate"


def test_defect_14_secret_keys_are_dropped_with_a_warning_and_never_written_again() -> None:
    parsed = parameters.parse_text(JAVA_FILE)
    assert [warning.split()[0] for warning in parsed.warnings] == ["accessKey", "secretKey"]
    written = parameters.as_text(parsed.parameters)
    assert "AKIAEXAMPLE" not in written
    assert "abc/def" not in written


def test_defect_20_white_space_does_not_matter_and_a_value_may_hold_an_equals_sign() -> None:
    read = parameters.parse_text(
        f"  filter =  key == 'a=b' \n\n# a comment = x\n{REQUIRED}"
    ).parameters
    assert read.filter == "key == 'a=b'"


def test_all_errors_of_a_file_are_reported_at_once_with_name_value_and_what_is_allowed() -> None:
    found = problems("numThread=3\nmaxPrice=-1\nfoo\nvisibilityTimeout=29\nanalysisProgram=../x\n")
    assert set(found) == {
        "numThread", "maxPrice", "foo", "visibilityTimeout", "analysisProgram", "environmentZip",
    }  # fmt: skip
    assert "numThreads" in found["numThread"]
    assert "'29'" in found["visibilityTimeout"]
    assert "30 to 43200" in found["visibilityTimeout"]


def test_one_time_with_stop_is_refused_with_the_reason() -> None:
    found = problems(REQUIRED + "shutdownBehavior=stop\n")
    assert "EC2 stops only persistent" in found["shutdownBehavior"]
    assert parameters.parse_text(REQUIRED + "shutdownBehavior=stop\nspotType=persistent\n")


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("EC2SQSRegion=mars", "region"),
        ("inputBucket=a b", "bucket"),
        ("queueURL=work", "URL"),
        ("environmentPrefix=../up", "without .."),
        ("environmentPrefix=/abs", "inside the zip"),
        ("visibilityTimeout=43201", "43200"),
        ("visibilityTimeout=1e3", "whole number"),
        ("numThreads=-1", "0 to 1024"),
        ("shouldShutdown=yes", "true or false"),
        ("shutdownBehavior=hibernate", "terminate or stop"),
        ("spotType=forever", "one-time or persistent"),
        ("imageID=debian", "ami-"),
        ("subnets=here,there", "subnet"),
        ("instanceType=big", "c7i.large"),
        ("maxPrice=0", "above 0"),
        ("maxPrice=nan", "above 0"),
        ("maxInstances=0", "1 to 10000"),
        ("drainSeconds=0", "seconds"),
        ("maxAttempts=0", "1 to 100"),
        ("timeout=39601", "39600"),
        ("onDemandAfter=-1", "minutes"),
        ("budget=free", "dollars"),
        ("filter=key ==", "JMESPath"),
        ("keepLogs=maybe", "always or failed or never"),
        ("idleTimeout=0", "1 to 43200"),
        ("notify=me", "SNS"),
        ("outputPrefix=" + "x" * 1025, "1,024"),
        ("outputPrefix=a\x07b", "control character"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_by_name(line: str, allowed: str) -> None:
    name = line.partition("=")[0]
    found = problems(REQUIRED + line + "\n")
    assert list(found) == [name]
    assert allowed in found[name]


def test_a_name_given_twice_is_refused() -> None:
    assert "twice" in problems(REQUIRED + "numThreads=1\nnumThreads=2\n")["numThreads"]


def test_json_takes_numbers_and_truth_values_and_null_means_not_given() -> None:
    document = {
        "environmentZip": "e.zip", "analysisProgram": "run.sh", "numThreads": 4,
        "shouldShutdown": False, "maxPrice": 0.25, "budget": None,
    }  # fmt: skip
    read = parameters.parse_json(document).parameters
    assert (read.num_threads, read.should_shutdown, read.max_price, read.budget) == (
        4,
        False,
        0.25,
        None,
    )


@pytest.mark.parametrize("document", [[], "text", 3, None, {"numThreads": []}, {"filter": {}}])
def test_json_of_another_shape_is_a_parameter_error(document: object) -> None:
    with pytest.raises(ParameterError):
        parameters.parse_json(document)


PLAIN = st.text(string.ascii_letters + string.digits + "._-/ é日=#'\"", max_size=40).map(str.strip)
NAMED = st.text(string.ascii_letters + string.digits, min_size=3, max_size=20)
SETTINGS = st.fixed_dictionaries(
    {"environment_zip": PLAIN.filter(bool), "analysis_program": NAMED},
    optional={
        "input_bucket": NAMED,
        "input_prefix": PLAIN.filter(bool),
        "output_prefix": PLAIN.filter(bool),
        "visibility_timeout": st.integers(30, 43200),
        "num_threads": st.integers(0, 1024),
        "should_shutdown": st.booleans(),
        "spot_type": st.sampled_from(["one-time", "persistent"]),
        "instance_type": st.lists(st.sampled_from(["m1.small", "c7i.large"]), min_size=1).map(
            tuple
        ),
        "max_price": st.floats(1e-6, 1e6),
        "budget": st.floats(1e-6, 1e6),
        "key_pair": PLAIN.filter(bool),
        "keep_logs": st.sampled_from(["always", "failed", "never"]),
        "filter": st.sampled_from(["size > `3`", "key == 'a=b'", "ends_with(key, '.txt')"]),
    },
)


@given(SETTINGS)
def test_what_is_written_reads_back_the_same_as_text_and_as_json(values: dict[str, object]) -> None:
    settled = Parameters(**values)  # type: ignore[arg-type]
    assert parameters.parse_text(parameters.as_text(settled)).parameters == settled
    assert parameters.parse_json(parameters.as_mapping(settled)).parameters == settled


@given(st.text())
def test_no_text_makes_anything_but_parameters_or_a_parameter_error(text: str) -> None:
    try:
        parameters.parse_text(text)
    except ParameterError as error:
        assert error.problems


LINES = st.lists(st.tuples(st.sampled_from(sorted(NAMES)), st.text(max_size=20)), max_size=6)


@given(LINES)
def test_no_value_of_a_known_name_makes_anything_else_either(pairs: list[tuple[str, str]]) -> None:
    text = REQUIRED + "".join(f"{name}={value}\n" for name, value in pairs)
    try:
        read = parameters.parse_text(text).parameters
    except ParameterError as error:
        assert error.problems
    else:
        assert parameters.parse_text(parameters.as_text(read)).parameters == read


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(sorted(NAMES)), inner),
    )
)
def test_no_json_makes_anything_but_parameters_or_a_parameter_error(document: object) -> None:
    try:
        parameters.parse_json(document)
    except ParameterError as error:
        assert error.problems
