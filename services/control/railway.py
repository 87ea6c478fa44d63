"""The fleet as Railway reads it: a JSON file a service, and one program for the whole project."""

from __future__ import annotations

import json
from typing import Any

from services.control.fleet import Fleet, FleetService, Restart

SCHEMA = "https://railway.com/railway.schema.json"
BUILD_COMMAND = (
    "pip install --require-hashes -r requirements.lock"
    " && pip install --no-deps --no-build-isolation -e ."
)
MIGRATE_COMMAND = "tracker migrate"
_RESTART = {Restart.ALWAYS: "ALWAYS", Restart.ON_FAILURE: "ON_FAILURE", Restart.NEVER: "NEVER"}
_SHARED_PATHS = ["/libs/**", "/configs/**", "/strategies/**", "/pyproject.toml", "/requirements.lock"]


def railway_file(fleet: Fleet, service: FleetService) -> str:
    """Return the config file of one service."""
    deploy = {**_deploy(fleet, service), "startCommand": _start(service)}
    if service.name == fleet.railway.migrates_with:
        deploy["preDeployCommand"] = [MIGRATE_COMMAND]
    document = {"$schema": SCHEMA, "build": _build(fleet, service), "deploy": dict(sorted(deploy.items()))}
    return json.dumps(document, indent=2) + "\n"


def railway_program(fleet: Fleet) -> str:
    """Return the Python program that describes the whole project."""
    imports = ["define_railway", "preserve", "project", "service"]
    if fleet.railway.repository:
        imports = ["define_railway", "github", "preserve", "project", "service"]
    services = "".join(_service_call(fleet, each) for each in fleet.deployed)
    return (
        '"""The fleet on Railway, made from configs/fleet.toml by `tracker fleet render`."""\n\n'
        f"from railway_sdk import {', '.join(imports)}\n\n\n"
        "@define_railway\n"
        "def main(ctx=None):\n"
        '    """Describe every service; secrets keep the values they have on Railway."""\n'
        "    return project(\n"
        f"        {_literal(fleet.railway.project)},\n"
        f"        resources=[\n{services}        ],\n"
        "    )\n"
    )


def _service_call(fleet: Fleet, service: FleetService) -> str:
    fields = [_literal(service.name)]
    if fleet.railway.repository:
        fields.append(f"source=github({_literal(fleet.railway.repository)})")
    fields += [
        f"build={_block(_build(fleet, service), 4)}",
        f"start={_literal(_start(service))}",
    ]
    if service.name == fleet.railway.migrates_with:
        fields.append(f"preDeploy={_literal(MIGRATE_COMMAND)}")
    deploy = _deploy(fleet, service)
    fields += [
        f"healthcheck={_literal(deploy.pop('healthcheckPath'))}",
        f"healthcheckTimeout={deploy.pop('healthcheckTimeout')}",
        f"replicas={deploy.pop('numReplicas')}",
        f"deploy={_block(deploy, 4)}",
        f"env={_variables(fleet, service)}",
    ]
    lines = "".join(f"                {field},\n" for field in fields)
    return f"            service(\n{lines}            ),\n"


def _build(fleet: Fleet, service: FleetService) -> dict[str, Any]:
    paths = [*_SHARED_PATHS, f"/{service.module.replace('.', '/')}/**"]
    if service.name == fleet.railway.migrates_with:
        paths += ["/services/control/**", "/migrations/**"]
    return {"builder": "RAILPACK", "buildCommand": BUILD_COMMAND, "watchPatterns": sorted(paths)}


def _deploy(fleet: Fleet, service: FleetService) -> dict[str, Any]:
    return {
        "drainingSeconds": fleet.railway.draining_seconds,
        "healthcheckPath": service.health_path,
        "healthcheckTimeout": fleet.railway.healthcheck_timeout_seconds,
        "numReplicas": 1,
        "overlapSeconds": fleet.railway.overlap_seconds,
        "restartPolicyType": _RESTART[service.restart],
    }


def _start(service: FleetService) -> str:
    # Without `exec` the shell would take SIGTERM and the service would be killed undrained.
    return f"exec python {' '.join(service.command)}"


def _variables(fleet: Fleet, service: FleetService) -> str:
    literals = {"RAILPACK_PYTHON_VERSION": fleet.railway.python_version, "TRACKER_SOURCE": "polygon"}
    values = {name: _literal(value) for name, value in (literals | dict(service.environment)).items()}
    if service.role is not None:
        values["DATABASE_POOL_SIZE"] = _literal(str(service.pool_size))
        values["DATABASE_URL"] = "preserve()"
    values |= dict.fromkeys(service.secrets, "preserve()")
    return _lines("{", (f"{_literal(name)}: {value}" for name, value in sorted(values.items())), "}", 4)


def _block(values: dict[str, Any], depth: int) -> str:
    items = (f"{_literal(name)}: {_value(value, depth + 1)}" for name, value in values.items())
    return _lines("{", items, "}", depth)


def _value(value: Any, depth: int) -> str:
    if isinstance(value, list):
        return _lines("[", (_literal(item) for item in value), "]", depth)
    return _literal(value)


def _lines(opening: str, items: Any, closing: str, depth: int) -> str:
    inner = "".join(f"{'    ' * (depth + 1)}{item},\n" for item in items)
    return f"{opening}\n{inner}{'    ' * depth}{closing}"


def _literal(value: Any) -> str:
    return json.dumps(value)
