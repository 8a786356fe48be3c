"""Instances of the local EC2 that are processes: their life and their end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from integration.local_ec2 import Server, alive, serving
from waiting import until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("body")) as running:
        yield running


def test_an_instance_of_ours_is_a_process_with_its_log_and_user_data(server: Server) -> None:
    name = server.run()["InstanceId"]
    server.wait(name, "running")
    pid, child = server.pids(name)
    assert alive(pid)
    assert os.getsid(child) == pid
    log = server.path(name, "log")
    until(lambda: "user data" in log.read_text(), seconds=60, what="the log is written")
    assert server.path(name, "user-data").read_text() == "job=j\ndo=sleep\n"


def test_an_instance_started_by_others_is_just_a_row(server: Server) -> None:
    name = server.run(kind="persistent", tags=[])["InstanceId"]
    server.wait(name, "running")
    assert not server.path(name).exists()


def test_defect_14_no_key_is_in_the_environment_and_the_settings_are(server: Server) -> None:
    name = server.run()["InstanceId"]
    seen = server.booted(name)["environment"]
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"} & set(seen)
    assert seen["AWS_ENDPOINT_URL_EC2"] == server.endpoint
    assert seen["PARALLELIZER_SCRATCH"] == str(server.path(name, "scratch"))
    assert seen["HOME"] == str(server.path(name)), "no settings of the developer's are found"
    assert (seen["LANG"], seen["PYTHONUNBUFFERED"]) == ("C.UTF-8", "1")


def test_terminate_kills_every_process_of_the_machine_at_once(server: Server) -> None:
    name = server.run()["InstanceId"]
    pids = server.pids(name)
    answer = server.ec2.terminate_instances(InstanceIds=[name])
    assert [pid for pid in pids if alive(pid)] == []
    assert answer["TerminatingInstances"][0]["CurrentState"]["Name"] == "shutting-down"
    assert server.state(name) == "shutting-down"
    server.wait(name, "terminated")
    assert not server.path(name, "scratch").exists(), "read-only folders are deleted too"
    assert server.path(name, "pid").read_text().strip() == str(pids[0])
    assert server.path(name, "log").exists()
    reason = server.instance(name)["StateReason"]["Code"]
    assert reason == "Client.UserInitiatedShutdown"
    server.ec2.terminate_instances(InstanceIds=[name])
    assert server.state(name) == "terminated"


def test_one_unknown_id_terminates_none(server: Server) -> None:
    name = server.run()["InstanceId"]
    server.wait(name, "running")
    with pytest.raises(ClientError, match=r"InvalidInstanceID\.NotFound"):
        server.ec2.terminate_instances(InstanceIds=[name, "i-0123456789abcdef0"])
    assert server.state(name) == "running"


def test_a_protected_instance_is_not_terminated(server: Server) -> None:
    name = server.run(DisableApiTermination=True)["InstanceId"]
    with pytest.raises(ClientError, match="OperationNotPermitted"):
        server.ec2.terminate_instances(InstanceIds=[name])
    assert all(alive(pid) for pid in server.pids(name))


@pytest.mark.parametrize(("kind", "closed"), [(None, None), ("one-time", "closed")])
def test_an_instance_that_powers_itself_off_is_terminated(
    server: Server, kind: str | None, closed: str | None
) -> None:
    instance = server.run("poweroff", kind=kind)
    name = instance["InstanceId"]
    pids = server.pids(name)
    server.path(name, "scratch/go").touch()
    server.wait(name, "terminated")
    assert [pid for pid in pids if alive(pid)] == []
    assert server.instance(name)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    if closed:
        assert server.status(instance["SpotInstanceRequestId"])[0] == closed


def test_defect_17_the_shutdown_behaviour_stop_stops_and_start_goes_on_in_the_same_folder(
    server: Server,
) -> None:
    instance = server.run("poweroff", kind="persistent", InstanceInitiatedShutdownBehavior="stop")
    name, request = instance["InstanceId"], instance["SpotInstanceRequestId"]
    [first, _] = server.pids(name)
    server.path(name, "scratch/go").touch()
    server.wait(name, "stopped")
    assert server.status(request) == ("disabled", "instance-stopped-by-user")
    server.path(name, "scratch/seen").unlink()
    server.ec2.start_instances(InstanceIds=[name])
    [second, _] = server.pids(name)
    assert second != first
    assert server.path(name, "scratch/boots").read_text() == "xx"
    assert not server.path(name, "poweroff").exists()
    assert server.status(request) == ("active", "fulfilled")
    assert server.imds(name, "latest/user-data") == (200, "job=j\ndo=poweroff\n")
    assert server.imds(name, "latest/meta-data/instance-id") == (200, name)


def test_a_machine_that_stopped_itself_stays_so_and_goes_with_its_request(
    server: Server,
) -> None:
    instance = server.run("poweroff", kind="persistent", InstanceInitiatedShutdownBehavior="stop")
    name, request = instance["InstanceId"], instance["SpotInstanceRequestId"]
    server.booted(name)
    server.path(name, "scratch/go").touch()
    server.wait(name, "stopped")
    other = server.run("poweroff", kind="persistent")  # for this one EC2 launches another,
    server.booted(other["InstanceId"])
    server.path(other["InstanceId"], "scratch/go").touch()
    second = server.replacement(other["SpotInstanceRequestId"], of=other["InstanceId"])
    assert server.state(name) == "stopped"  # and leaves the stopped one as it is
    assert server.status(request) == ("disabled", "instance-stopped-by-user")
    server.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])
    server.wait(name, "terminated")
    assert server.status(request)[0] == "cancelled"
    assert server.state(second) in ("pending", "running")


def test_a_one_time_spot_instance_that_powers_off_is_terminated_even_with_stop(
    server: Server,
) -> None:
    instance = server.run("poweroff", kind="one-time", InstanceInitiatedShutdownBehavior="stop")
    server.booted(instance["InstanceId"])
    server.path(instance["InstanceId"], "scratch/go").touch()
    server.wait(instance["InstanceId"], "terminated")


@pytest.mark.parametrize("how", ["poweroff", "kill"])
def test_defect_18_a_persistent_machine_that_ends_by_itself_or_is_killed_comes_again(
    server: Server, how: str
) -> None:
    instance = server.run("poweroff", kind="persistent")
    name, request = instance["InstanceId"], instance["SpotInstanceRequestId"]
    [pid, child] = server.pids(name)
    if how == "kill":
        os.kill(pid, signal.SIGKILL)
    else:
        server.path(name, "scratch/go").touch()
    second = server.replacement(request, of=name)
    server.booted(second)
    assert server.state(name) in ("shutting-down", "terminated")
    assert not alive(child)
    assert (
        server.path(second, "user-data").read_bytes() == server.path(name, "user-data").read_bytes()
    )
    assert "Tags" not in server.instance(second)


def test_a_crash_loses_the_machine_and_closes_a_one_time_request(server: Server) -> None:
    instance = server.run("crash", kind="one-time")
    server.wait(instance["InstanceId"], "terminated")
    assert server.status(instance["SpotInstanceRequestId"]) == ("closed", "system-error")


@pytest.mark.parametrize("end", ["stop_instances", "terminate_instances"])
def test_a_worker_that_ends_without_powering_off_leaves_its_machine_running(
    server: Server, end: str
) -> None:
    name = server.run("leave")["InstanceId"]
    pids = server.pids(name)
    until(lambda: not any(alive(pid) for pid in pids), seconds=60, what="the worker has ended")
    server.wait(name, "running")
    getattr(server.ec2, end)(InstanceIds=[name])
    server.wait(name, "stopped" if end == "stop_instances" else "terminated")


def test_stop_instances_shuts_an_on_demand_machine_down_and_start_boots_it(
    server: Server,
) -> None:
    name = server.run()["InstanceId"]
    pids = server.pids(name)
    server.ec2.stop_instances(InstanceIds=[name])
    server.wait(name, "stopped")
    assert [pid for pid in pids if alive(pid)] == []
    server.ec2.start_instances(InstanceIds=[name])
    server.wait(name, "running")
    server.ec2.terminate_instances(InstanceIds=[name])
    with pytest.raises(ClientError, match="IncorrectInstanceState"):
        server.ec2.start_instances(InstanceIds=[name])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_machine_outlives_the_server(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path) as own:
        [pid, child] = own.pids(own.run()["InstanceId"])
        own.process.send_signal(number)
        own.process.wait(20)
        until(lambda: not alive(pid), seconds=60, what="the machine's process is gone")
        if number is signal.SIGTERM:
            assert not alive(child)
        else:
            os.kill(child, signal.SIGKILL)  # nobody was left who could have ended it


def test_it_listens_on_loopback_only(server: Server) -> None:
    with Path("/proc/net/tcp").open() as lines:
        mine = [line.split()[1] for line in lines if f":{server.port:04X} " in line]
    assert {address.partition(":")[0] for address in mine} == {"0100007F"}
