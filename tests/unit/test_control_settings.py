"""The stack's settings, read once at the door."""

from __future__ import annotations

import msgspec
import pytest

from chalicelib import settings
from chalicelib.settings import SettingsError
from stacks import settings as made

ENVIRONMENT = {name.upper(): str(value) for name, value in msgspec.structs.asdict(made()).items()}


def test_settings_are_read_from_the_environment() -> None:
    assert settings.read({**ENVIRONMENT, "OTHER": "x"}) == made()


def test_all_that_is_missing_is_named_at_once() -> None:
    few = {k: v for k, v in ENVIRONMENT.items() if k not in ("STACK", "LEDGER_TABLE")}
    with pytest.raises(SettingsError, match="STACK, LEDGER_TABLE"):
        settings.read(few)


def test_what_is_not_a_number_is_named() -> None:
    with pytest.raises(SettingsError, match="empty_readings"):
        settings.read({**ENVIRONMENT, "EMPTY_READINGS": "many"})


def test_subnets_are_a_list_and_none_means_the_default_ones() -> None:
    assert made().subnet_ids == ()
    assert made(subnets="subnet-1, subnet-2").subnet_ids == ("subnet-1", "subnet-2")
