"""The local cloud's start and end, with real servers and a stand-in for the deploy."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulator import client
from integration.local_ec2 import MARK, REPOSITORY, STAND_IN, alive
from local import env_file
from waiting import until

ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{REPOSITORY}/worker:{REPOSITORY}/control"}
ISSUE_NAMES = {
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_EC2",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "PARALLELIZER_API",
    "PARALLELIZER_INPUT_BUCKET",
    "PARALLELIZER_OUTPUT_BUCKET",
    "PARALLELIZER_ENVIRONMENT_BUCKET",
}


class Up:
    """One `up` in a folder of its own."""

    def __init__(self, folder: Path, wish: str, **environment: str) -> None:
        self.folder = folder
        self.directory = folder / "local"
        self.log = folder / f"{wish}.log"
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("stand_in_up.py")),
                 str(self.directory), wish],
                env={**ENVIRONMENT, **environment},
                stdout=output,
                stderr=output,
            )  # fmt: skip

    def said(self, text: str) -> None:
        until(lambda: text in self.log.read_text(), seconds=60, what=f"{self.log} has {text!r}")

    def ready(self) -> dict[str, str]:
        path = self.directory / "env"
        until(lambda: path.exists() or self.process.poll() is not None, seconds=60, what="ready")
        assert path.exists(), self.log.read_text()
        return env_file.read(path)

    def processes(self) -> list[int]:
        """Every process that names the folder: the servers, functions, machines and `up`."""
        wanted = os.fsencode(self.directory)
        return [pid for pid in pids() if wanted in traces(pid) and alive(pid)]

    def child(self, word: str) -> int:
        [pid] = [
            pid
            for pid in self.processes()
            if word in Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        ]
        return pid


def pids() -> list[int]:
    names = [entry.name for entry in Path("/proc").iterdir()]
    return [int(name) for name in names if name.isdigit() and int(name) != os.getpid()]


def traces(pid: int) -> bytes:
    process = Path(f"/proc/{pid}")
    try:
        found = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        return found + os.fsencode((process / "cwd").readlink())
    except OSError:
        return b""  # it ended while it was looked at


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Starts; whatever the test does, no process is left by it."""
    started: list[Up] = []

    def make(wish: str = "", **environment: str) -> Up:
        started.append(Up(tmp_path, wish, **environment))
        return started[-1]

    yield make
    for one in started:
        one.process.terminate()
        one.process.wait(60)
    left = [pid for one in started for pid in one.processes()]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


def test_it_says_how_to_reach_it_when_all_is_ready(start: Callable[..., Up]) -> None:
    values = start(AWS_PROFILE="nobody", AWS_SESSION_TOKEN="secret").ready()
    assert set(values) == ISSUE_NAMES
    base = values["AWS_ENDPOINT_URL"]
    assert values["PARALLELIZER_API"] == f"{base}/restapis/the RestAPIId/api/_user_request_"
    ssm, ec2 = client("ssm", base), client("ec2", values["AWS_ENDPOINT_URL_EC2"])
    image = ssm.get_parameter(Name="/parallelizer/image-id")["Parameter"]["Value"]
    [found] = ec2.describe_images(ImageIds=[image])["Images"]
    assert found["RootDeviceName"]
    assert ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_every_process_that_it_started(
    start: Callable[..., Up], number: signal.Signals, tmp_path: Path
) -> None:
    up = start()
    values = up.ready()
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN)
    ec2 = client("ec2", values["AWS_ENDPOINT_URL_EC2"])
    ec2.run_instances(
        ImageId="ami-1",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": MARK}],
    )
    functions = "ministack-lambda-reconcile"
    until(
        lambda: any(
            functions in Path(f"/proc/{pid}/cmdline").read_text() for pid in up.processes()
        ),
        seconds=60,
        what="the function was invoked",
    )
    assert len(up.processes()) >= 4
    up.process.send_signal(number)
    assert up.process.wait(60) == 0
    assert up.processes() == []
    assert not (up.directory / "env").exists()


def test_when_it_is_killed_its_servers_end_by_themselves(start: Callable[..., Up]) -> None:
    up = start()
    up.ready()
    up.process.kill()
    up.process.wait(60)
    until(lambda: not up.processes(), seconds=60, what="nothing is left")
    again = start()
    again.ready()


def test_a_start_that_is_interrupted_half_way_leaves_nothing(start: Callable[..., Up]) -> None:
    up = start("hang")
    up.said("hanging")
    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(60) == 1
    assert up.processes() == []


def test_a_failed_deploy_is_said_and_ends_it(start: Callable[..., Up]) -> None:
    up = start("fail")
    assert up.process.wait(60) == 1
    assert "the stack is refused" in up.log.read_text()
    assert "Traceback" not in up.log.read_text()
    assert up.processes() == []


@pytest.mark.parametrize(
    ("wish", "word"), [("", "ministack"), ("", "local.ec2"), ("hang", "local.ec2")]
)
def test_a_server_that_dies_is_named_with_the_end_of_its_log(
    start: Callable[..., Up], wish: str, word: str
) -> None:
    up = start(wish)
    if wish == "hang":
        up.said("hanging")
    else:
        up.ready()
    os.kill(up.child(word), signal.SIGKILL)
    assert up.process.wait(60) == 1
    text = up.log.read_text()
    name = word.removeprefix("local.")
    assert f"{name} ended (-9); the end of {up.directory}/{name}.log" in text
    assert up.processes() == []
    assert not (up.directory / "env").exists()


def test_a_second_start_says_that_one_runs_already_and_harms_nothing(
    start: Callable[..., Up],
) -> None:
    first = start()
    values = first.ready()
    second = start("second")
    assert second.process.wait(30) == 1
    assert f"runs already in {first.directory}, as process {first.process.pid}" in (
        second.log.read_text()
    )
    assert env_file.read(first.directory / "env") == values
    client("ec2", values["AWS_ENDPOINT_URL_EC2"]).describe_instances()


def test_a_new_start_begins_with_nothing(start: Callable[..., Up], tmp_path: Path) -> None:
    old = tmp_path / "local" / "instances" / "i-old"
    (old / "scratch").mkdir(parents=True)
    (tmp_path / "local" / "lock").touch()
    (tmp_path / "local" / "env").write_text("export OLD=1\n")
    orphan = subprocess.Popen(["sleep", "600"], cwd=old / "scratch")
    up = start()
    up.said("ready.")
    assert "OLD" not in up.ready()
    assert not old.exists()
    assert orphan.wait(60) == -signal.SIGKILL


def test_a_failing_reconcile_is_said(start: Callable[..., Up]) -> None:
    up = start("failing-reconcile")
    up.ready()
    up.said("reconcile failed")


def test_reclaim_speaks_to_the_cloud_that_runs(start: Callable[..., Up], tmp_path: Path) -> None:
    nothing = reclaim("i-1", "--directory", str(tmp_path / "none"))
    assert nothing.returncode == 1
    assert "no local cloud is ready" in nothing.stderr
    up = start()
    ec2 = client("ec2", up.ready()["AWS_ENDPOINT_URL_EC2"])
    answer = ec2.run_instances(
        ImageId="ami-1", MinCount=1, MaxCount=1, InstanceMarketOptions={"MarketType": "spot"}
    )
    name = answer["Instances"][0]["InstanceId"]
    here = ("--directory", str(up.directory))
    unknown = reclaim("i-1", *here)
    assert (unknown.returncode, "i-1" in unknown.stderr) == (1, True)
    assert reclaim(name, "--notice", "soon", *here).returncode == 2
    assert reclaim(name, "--notice", "-1", *here).returncode == 1
    done = reclaim(name, "--notice", "0", *here)
    assert (done.returncode, name in done.stdout) == (0, True)

    def state() -> str:
        found = ec2.describe_instances(InstanceIds=[name])["Reservations"][0]["Instances"][0]
        return str(found["State"]["Name"])

    until(lambda: state() == "terminated", seconds=60, what="the instance ended")


def reclaim(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local", "reclaim", *arguments],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
