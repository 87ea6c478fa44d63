"""What is generated from the table agrees with what is committed, and says what the table says."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from supervisor.options import ServerOptions
from tracker.domain.errors import ConfigError
from tracker.runtime.settings import PROJECT_ROOT, environment

from services.control import render
from services.control.fleet import Fleet, load_fleet


@pytest.fixture
def fleet() -> Fleet:
    return load_fleet()


def railway_services() -> dict[str, dict[str, Any]]:
    program = runpy.run_path(str(PROJECT_ROOT / ".railway" / "railway.py"))["main"]
    return {each["name"]: each for each in program().to_graph()["resources"]}


def test_committed_files_agree_with_the_table(fleet: Fleet) -> None:
    assert render.differing(render.rendered_files(fleet)) == []


def test_a_changed_file_is_named(fleet: Fleet, tmp_path: Path) -> None:
    files = render.rendered_files(fleet)
    render.write(files, tmp_path)
    render.check(files, tmp_path)
    (tmp_path / "Procfile").write_text("web: something else\n")
    with pytest.raises(ConfigError, match=r"^Procfile does not agree with configs/fleet.toml"):
        render.check(files, tmp_path)


def test_the_file_of_a_service_that_is_gone_is_removed(fleet: Fleet, tmp_path: Path) -> None:
    files = render.rendered_files(fleet)
    render.write(files, tmp_path)
    (tmp_path / ".railway" / "old.json").write_text("{}")
    assert render.write(files, tmp_path) == [".railway/old.json"]
    assert not (tmp_path / ".railway" / "old.json").exists()


def test_the_project_on_railway_runs_what_the_table_says(fleet: Fleet) -> None:
    services = railway_services()
    assert set(services) == {each.name for each in fleet.deployed}
    for each in fleet.deployed:
        node = services[each.name]
        deploy = node["deploy"]
        assert deploy["startCommand"] == f"exec python {' '.join(each.command)}"
        assert (deploy["healthcheckPath"], deploy["drainingSeconds"]) == (each.health_path, 30)
        assert node["variables"]["DATABASE_URL"] == {"type": "preserve"}
        assert node["variables"]["DATABASE_POOL_SIZE"]["value"] == str(each.pool_size)
        assert all(node["variables"][name] == {"type": "preserve"} for name in each.secrets)


def test_one_service_migrates_before_its_deploy(fleet: Fleet) -> None:
    migrating = [name for name, node in railway_services().items() if "preDeployCommand" in node["deploy"]]
    assert migrating == [fleet.railway.migrates_with]


def test_both_kinds_of_railway_files_say_the_same(fleet: Fleet) -> None:
    for name, node in railway_services().items():
        document = json.loads((PROJECT_ROOT / ".railway" / f"{name}.json").read_text())
        assert document["deploy"] == node["deploy"]
        assert document["build"] == node["build"]


def test_the_supervisor_reads_its_config(fleet: Fleet, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "logs").mkdir()
    variables = {
        "TRACKER_STATE_DIR": str(tmp_path), "TRACKER_RUNTIME_DIR": str(tmp_path), "TRACKER_PYTHON": "/bin/py",
        **{each.port_variable: str(each.port) for each in fleet.service},
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert "TRACKER_STATE_DIR" in environment()
    options = ServerOptions()
    options.realize(["-c", str(PROJECT_ROOT / "configs" / "supervisord.conf")])
    programs = {group.name: group.process_configs[0] for group in options.process_group_configs}
    assert list(programs) == ["postgres", *fleet.names]
    for each in fleet.service:
        program = programs[each.name]
        assert program.command == f'"/bin/py" {" ".join(each.command)}'
        assert program.environment["PORT"] == str(each.port)
        assert program.environment["TRACKER_SUPERVISED"] == "1"
        assert not program.autostart
        assert program.killasgroup
