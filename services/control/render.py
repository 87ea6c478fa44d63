"""Everything that is generated: from the table of services, and from the descriptions of Grafana's dashboards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tracker.domain.errors import ConfigError
from tracker.runtime.settings import PROJECT_ROOT

from services.control.fleet import Fleet
from services.control.grafana import grafana_files
from services.control.railway import railway_file, railway_program
from services.control.supervisor_config import supervisor_config


def rendered_files(fleet: Fleet) -> dict[str, str]:
    """Return the text of each generated file by its path below the project root."""
    files = {
        "Procfile": procfile(fleet),
        "configs/supervisord.conf": supervisor_config(fleet),
        "railway.json": railway_file(fleet, fleet.named(fleet.railway.migrates_with)),
        ".railway/railway.py": railway_program(fleet),
    }
    for service in fleet.deployed:
        files[f".railway/{service.name}.json"] = railway_file(fleet, service)
    return files | grafana_files()


def procfile(fleet: Fleet) -> str:
    """Return one line a deployed service."""
    lines = (f"{each.name}: exec python {' '.join(each.command)}" for each in fleet.deployed)
    return "\n".join(lines) + "\n"


def differing(files: Mapping[str, str], root: Path = PROJECT_ROOT) -> list[str]:
    """Return the paths whose file is missing, differs, or belongs to a service or a dashboard that is gone."""
    stale = [path for path, text in files.items() if _text(root / path) != text]
    return stale + [path for path in _generated_alone(root) if path not in files]


def write(files: Mapping[str, str], root: Path = PROJECT_ROOT) -> list[str]:
    """Write what differs, remove what is left over, and return the touched paths."""
    touched = differing(files, root)
    for path in touched:
        target = root / path
        if path not in files:
            target.unlink()
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(files[path], encoding="utf-8")
    return touched


def check(files: Mapping[str, str], root: Path = PROJECT_ROOT) -> None:
    """Raise ConfigError naming the first file that does not agree with the table."""
    touched = differing(files, root)
    if touched:
        source = "configs/grafana/boards" if touched[0].startswith("configs/grafana/") else "configs/fleet.toml"
        raise ConfigError(f"{touched[0]} does not agree with {source}: run `tracker fleet render`")


def _generated_alone(root: Path) -> list[str]:
    made = (*(root / ".railway").glob("*.json"), *(root / "configs" / "grafana").glob("*.json"))
    return [str(path.relative_to(root)) for path in sorted(made)]


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
