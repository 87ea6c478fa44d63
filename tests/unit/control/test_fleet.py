"""The table of services refuses what would not run."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from tracker.domain.errors import ConfigError, InputError
from tracker.runtime.settings import PROJECT_ROOT

from services.control.fleet import FLEET_FILE, load_fleet


def changed(folder: Path, old: str, new: str) -> Path:
    text = FLEET_FILE.read_text()
    assert old in text
    path = folder / "fleet.toml"
    path.write_text(text.replace(old, new, 1))
    return path


def test_every_module_of_the_table_exists() -> None:
    missing = [each.module for each in load_fleet().service if importlib.util.find_spec(each.module) is None]
    assert missing == []


def test_every_role_of_the_table_is_made_by_a_migration() -> None:
    made = (PROJECT_ROOT / "migrations" / "0001_schema_and_roles.sql").read_text()
    for service in load_fleet().service:
        assert service.role is None or f"'{service.role.removeprefix('tracker_')}'" in made


def test_an_unknown_key_is_named_with_its_file(tmp_path: Path) -> None:
    path = changed(tmp_path, "memory_mb = 140", "memory = 140")
    with pytest.raises(ConfigError, match=rf"^{re.escape(str(path))}: .*memory"):
        load_fleet(path)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("port = 8803", "port = 8802", "the port 8802 is given to two services"),
        ('name = "paper_trader"', 'name = "dashboard"', "the name dashboard is given to two services"),
        ("pool_size = 3", "pool_size = 30", "database connections, connection_budget is"),
        ("pool_size = 3", "pool_size = 0", "a role needs a pool_size"),
        ('name = "paper_trader"', 'name = "postgres"', "postgres is the name of the embedded database"),
        ('with = "data_collector"', 'with = "market_simulator"', "names no deployed service"),
        ('restart = "always"', 'restart = "sometimes"', "restart = 'sometimes'"),
        ("port = 8803", "port = 80", "port = 80"),
    ],
)
def test_what_cannot_run_is_refused_in_a_sentence(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        load_fleet(changed(tmp_path, old, new))


def test_the_pools_stay_within_the_budget() -> None:
    fleet = load_fleet()
    twice = sum(each.pool_size + each.listens for each in fleet.service if each.role)
    once = sum(each.started_connections for each in fleet.service)
    assert 2 * fleet.connections - (2 * twice + once) in (0, 1)
    assert fleet.connections <= fleet.connection_budget


def test_services_are_chosen_in_the_order_of_the_table() -> None:
    chosen = load_fleet().chosen(["paper_trader", "data_collector"])
    assert [each.name for each in chosen] == ["data_collector", "paper_trader"]


def test_an_unknown_service_is_named_beside_the_known_ones() -> None:
    with pytest.raises(InputError, match="there is no service 'trader'; known are market_simulator, "):
        load_fleet().chosen(["trader"])


def test_a_port_can_be_moved_by_the_environment() -> None:
    fleet = load_fleet()
    assert fleet.ports({"TRACKER_PORT_DASHBOARD": "9000"})["dashboard"] == 9000
    with pytest.raises(ConfigError, match="TRACKER_PORT_DASHBOARD = 'x' is not a port"):
        fleet.ports({"TRACKER_PORT_DASHBOARD": "x"})
