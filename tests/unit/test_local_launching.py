"""What a launch call asks for; filters; the metadata tree: the pure parts of the local EC2."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from local import launching
from local.filters import UnknownFilter, field, matches
from local.metadata import Credentials, Identity, Notice, leaves, lookup
from local.spot import SpotType

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def test_a_call_overrides_its_template_and_tags_are_merged_key_by_key() -> None:
    template = {
        "ImageId": "ami-1",
        "UserData": "eA==",
        **launching.tagged("instance", {"a": "template", "b": "template"}),
    }
    call = {
        "ImageId": "ami-2",
        "UserData": None,
        **launching.tagged("instance", {"b": "call"}),
    }
    both = launching.laid_over(template, call)
    assert (both["ImageId"], both["UserData"]) == ("ami-2", "eA==")
    assert launching.tags_of(both, "instance") == {"a": "template", "b": "call"}
    assert launching.tags_of(both, "volume") == {}


def test_a_replacement_has_no_instance_tags_and_keeps_the_others() -> None:
    tags = [
        *launching.tagged("instance", {"a": "1"})["TagSpecifications"],
        *launching.tagged("volume", {"b": "2"})["TagSpecifications"],
    ]
    bare = launching.without_instance_tags({"TagSpecifications": tags, "ImageId": "ami-1"})
    assert launching.tags_of(bare, "instance") == {}
    assert launching.tags_of(bare, "volume") == {"b": "2"}
    assert bare["ImageId"] == "ami-1"


def test_market_options_say_how_a_spot_instance_is_asked_for() -> None:
    options = {"SpotInstanceType": "persistent", "MaxPrice": "0.05"}
    market = launching.market_of(
        {"InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": options}}
    )
    assert market is not None
    assert (market.type, market.price) == (SpotType.PERSISTENT, "0.050000")
    assert launching.market_of({"ImageId": "ami-1"}) is None
    plain = launching.market_of({"InstanceMarketOptions": {"MarketType": "spot"}})
    assert plain is not None
    assert plain.type is SpotType.ONE_TIME


@pytest.mark.parametrize(
    ("capacity", "spot", "on_demand"),
    [
        ({"TotalTargetCapacity": 3, "DefaultTargetCapacityType": "spot"}, 3, 0),
        ({"TotalTargetCapacity": 3}, 0, 3),
        ({"TotalTargetCapacity": 3, "SpotTargetCapacity": 2, "OnDemandTargetCapacity": 1}, 2, 1),
        (
            {
                "TotalTargetCapacity": 5,
                "OnDemandTargetCapacity": 1,
                "DefaultTargetCapacityType": "spot",
            },
            4,
            1,
        ),
    ],
)
def test_a_fleets_capacity_is_shared_between_spot_and_on_demand(
    capacity: dict[str, object], spot: int, on_demand: int
) -> None:
    assert launching.targets(capacity) == {"spot": spot, "on-demand": on_demand}


def test_weights_make_fewer_instances() -> None:
    assert launching.count_of(5, {}) == 5
    assert launching.count_of(5, {"WeightedCapacity": 2}) == 3


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ({}, True),
        ({"state": ["open", "active"]}, True),
        ({"state": ["open"]}, False),
        ({"state": ["act*"]}, True),
        ({"state": ["activ?"]}, True),
        ({"state": ["act\\*"]}, False),
        ({"tag:job": ["a.b"]}, True),
        ({"tag:job": ["axb"]}, False),
        ({"tag:other": ["*"]}, False),
        ({"tag-key": ["job"]}, True),
        ({"state": ["active"], "tag-key": ["x"]}, False),
    ],
)
def test_filters_are_all_needed_and_know_wildcards(
    filters: dict[str, list[str]], passes: bool
) -> None:
    entry = {"State": "active", "Tags": [{"Key": "job", "Value": "a.b"}]}
    assert matches(entry, filters, getters={"state": field("State")}) is passes


def test_an_unknown_filter_is_refused_by_name() -> None:
    with pytest.raises(UnknownFilter, match="nonsense"):
        matches({}, {"nonsense": ["x"]}, getters={})


def tree(
    *,
    role: str | None = "worker",
    notice: Notice | None = None,
    public_key: str | None = None,
) -> dict[str, bytes]:
    identity = Identity(
        instance="i-1",
        type="c5.large",
        image="ami-1",
        region="eu-west-1",
        zone="eu-west-1a",
        account="000000000000",
        address="10.0.0.1",
        life_cycle="spot",
        role=role,
        user_data=None,
        public_key=public_key,
    )
    keys = Credentials(access_key="a", secret_key="s", token="t")
    return dict(leaves(identity, credentials=keys, notice=notice, advised=None, now=NOW))


def test_folders_of_the_metadata_list_what_is_in_them() -> None:
    assert lookup(tree(), "meta-data/placement/") == b"availability-zone\nregion"
    assert lookup(tree(), "meta-data/iam/security-credentials/") == b"worker"
    assert lookup(tree(), "") == b"dynamic/\nmeta-data/"
    assert lookup(tree(), "meta-data/nothing") is None
    assert lookup(tree(), "user-data") is None


def test_without_an_instance_profile_there_are_no_credentials() -> None:
    assert lookup(tree(role=None), "meta-data/iam/") is None


def test_a_notice_names_the_action_and_the_time() -> None:
    assert lookup(tree(), "meta-data/spot/instance-action") is None
    given = lookup(
        tree(notice=Notice(action="terminate", at=NOW)), "meta-data/spot/instance-action"
    )
    assert json.loads(given or b"") == {"action": "terminate", "time": "2026-01-01T12:00:00Z"}


def test_the_metadata_have_what_cloud_init_looks_for() -> None:
    assert lookup(tree(), "meta-data/network/interfaces/macs/") == b"02:00:00:00:00:01/"
    assert lookup(tree(), "meta-data/local-hostname") == b"ip-10-0-0-1.ec2.internal"
    assert lookup(tree(), "meta-data/public-keys/") is None
    for path in ("meta-data/public-keys", "meta-data/public-keys/"):
        assert lookup(tree(public_key="ssh-ed25519 AAAA"), path) == b"0=key"
    named = tree(public_key="ssh-ed25519 AAAA")
    assert lookup(named, "meta-data/public-keys/0/openssh-key") == b"ssh-ed25519 AAAA"
    assert b"public-keys/\n" in (lookup(named, "meta-data/") or b"")
