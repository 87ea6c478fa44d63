"""Every panel and every choice of Grafana's dashboards, asked of a filled database by the login that Grafana has."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest
import yaml
from tracker.domain.clock import SystemClock
from tracker.domain.errors import ConfigError
from tracker.runtime.settings import PROJECT_ROOT
from tracker.testing.filled_database import Filled

from services.control.grafana import BOARDS, grafana_files

Connection: TypeAlias = "asyncpg.Connection[Any]"
GRAFANA = PROJECT_ROOT / "configs" / "grafana"
DOCUMENTS = {name: json.loads(text) for name, text in grafana_files().items()}
MACRO = re.compile(r"\$__([_a-zA-Z0-9]+)\(([^)]*)\)")
CHOSEN = re.compile(r"\$\{(\w+):sqlstring\}")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
EACH_PANEL = [
    pytest.param(document, panel, id=f"{document['uid']}: {panel['title']}")
    for document in DOCUMENTS.values()
    for panel in document["panels"]
]


@pytest.fixture(scope="module")
def login(filled: tuple[str, Filled]) -> str:
    """Connection string of a login made as configs/grafana/reader.sql makes it."""
    lines = (GRAFANA / "reader.sql").read_text().replace(":password", "'secret'").splitlines()
    statements = "\n".join(line for line in lines if not line.startswith("--"))

    async def make() -> None:
        owner: Connection = await asyncpg.connect(filled[0])
        await owner.execute(statements)
        await owner.close()

    asyncio.run(make())
    return filled[0].replace("//tracker@", "//tracker_grafana:secret@")


@pytest.fixture
async def grafana(login: str) -> AsyncIterator[Connection]:
    """A connection as Grafana has one."""
    connection: Connection = await asyncpg.connect(login)
    yield connection
    await connection.close()


@pytest.mark.parametrize(("document", "panel"), EACH_PANEL)
async def test_a_panel_shows_something(grafana: Connection, document: dict[str, Any], panel: dict[str, Any]) -> None:
    target = panel["targets"][0]
    assert target["datasource"] == panel["datasource"] == {
        "type": "grafana-postgresql-datasource", "uid": "${datasource}",
    }  # fmt: skip
    sources = re.findall(r"(?:FROM|JOIN)\s+([\w.]+)", target["rawSql"])
    assert sources
    assert all(each.startswith("dashboards.") for each in sources)
    rows = await grafana.fetch(expanded(target["rawSql"], document, await choices(grafana, document)))
    assert rows
    assert any(value is not None for row in rows for value in row.values())
    if target["format"] == "time_series":
        names = list(rows[0].keys())
        assert names[0] == "time"
        assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
        values = [name for name in names if name not in ("time", "metric")]
        assert values
        assert all(any(row[name] is not None for row in rows) for name in values)


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_there_is_something_to_choose_from(grafana: Connection, name: str) -> None:
    for variable, chosen in (await choices(grafana, DOCUMENTS[name])).items():
        assert chosen, variable


async def test_the_login_only_reads(grafana: Connection) -> None:
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await grafana.execute("UPDATE tracker.service_heartbeats SET status = 'fail'")
    await grafana.execute("SET default_transaction_read_only = off")
    assert await grafana.execute("UPDATE tracker.service_heartbeats SET status = 'fail'") == "UPDATE 0"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await grafana.execute("DELETE FROM tracker.orders")


def test_dashboards_hold_together() -> None:
    assert {Path(name).stem for name in DOCUMENTS} == {
        "fleet", "market_data", "strategies", "paper_trading", "models", "shadow",
    }  # fmt: skip
    assert len({document["uid"] for document in DOCUMENTS.values()}) == len(DOCUMENTS)
    for document in DOCUMENTS.values():
        panels = document["panels"]
        places = [(each["gridPos"]["x"], each["gridPos"]["y"]) for each in panels]
        assert len({each["id"] for each in panels}) == len(set(places)) == len(panels)
        assert all(each["gridPos"]["x"] + each["gridPos"]["w"] <= 24 and each["description"] for each in panels)
        declared = {each["name"] for each in document["templating"]["list"]} - {"datasource"}
        used = set(CHOSEN.findall(json.dumps([each["targets"] for each in panels])))
        assert used == declared


def test_the_datasource_has_its_password_from_the_environment_and_dashboards_are_found() -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/crypto-tracker.yaml").read_text())["datasources"]
    assert [each["type"] for each in sources] == ["grafana-postgresql-datasource"]
    assert sources[0]["secureJsonData"] == {"password": "${TRACKER_DB_PASSWORD}"}
    provider = yaml.safe_load((GRAFANA / "provisioning/dashboards/crypto-tracker.yaml").read_text())["providers"][0]
    mounted = (GRAFANA / "README.md").read_text()
    assert f"configs/grafana:{provider['options']['path']}" in mounted
    for name in re.findall(r"\$\{(\w+)\}", json.dumps(sources)):
        assert f"-e {name}=" in mounted


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("kind = \"stat\"", "kind = \"pie\""), "fleet.toml: panel.0.kind"),
        (("refresh = \"10s\"", "variables = [\"nobody\"]"), "'nobody' is not one of variables.toml"),
        (("SELECT mode FROM", "SELECT $__timeGroup(coalesce(a, b), 1h) FROM"), "'Market' has brackets inside a macro"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    boards = Path(shutil.copytree(BOARDS, tmp_path / "boards"))
    text = (boards / "fleet.toml").read_text()
    assert change[0] in text
    (boards / "fleet.toml").write_text(text.replace(change[0], change[1], 1))
    with pytest.raises(ConfigError, match=re.escape(said)):
        grafana_files(boards)


async def choices(connection: Connection, document: dict[str, Any]) -> dict[str, list[str]]:
    """Return what is chosen of each variable when a dashboard is opened: all of many, or the first."""
    found: dict[str, list[str]] = {}
    for variable in document["templating"]["list"]:
        if variable["type"] == "custom":
            found[variable["name"]] = [variable["current"]["value"]]
        if variable["type"] == "query":
            rows = [row[0] for row in await connection.fetch(variable["query"])]
            found[variable["name"]] = rows if variable["multi"] else rows[:1]
    return found


def expanded(sql: str, document: Mapping[str, Any], chosen: Mapping[str, list[str]]) -> str:
    """Return the SQL that Grafana sends: variables as quoted words, macros as its PostgreSQL source writes them."""
    until = SystemClock().now()
    span = re.fullmatch(r"now-(\d+)([smhd])", document["time"]["from"])
    assert span is not None
    seconds = int(span[1]) * SECONDS[span[2]]
    sent = CHOSEN.sub(lambda match: ",".join(f"'{each}'" for each in chosen[match[1]]), sql)
    sent = sent.replace("$__interval", f"{max(seconds // 1_000, 60)}s")
    sent = MACRO.sub(lambda match: macro(match[1], match[2], until - timedelta(seconds=seconds), until), sent)
    assert "$" not in sent, sent
    return sent


def macro(name: str, arguments: str, since: datetime, until: datetime) -> str:
    """Return what a macro stands for."""
    given = [each.strip() for each in arguments.split(",")]
    first, last = (f"'{each.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}'" for each in (since, until))
    if name == "timeFilter":
        return f"{given[0]} BETWEEN {first} AND {last}"
    if name in ("timeFrom", "timeTo"):
        return first if name == "timeFrom" else last
    if name in ("timeGroup", "timeGroupAlias"):
        length = re.fullmatch(r"'?(\d+)([smhd])'?", given[1])
        assert length is not None, given
        seconds = int(length[1]) * SECONDS[length[2]]
        group = f"floor(extract(epoch from {given[0]})/{seconds})*{seconds}"
        return group if name == "timeGroup" else f'{group} AS "time"'
    raise AssertionError(f"nobody has said what $__{name} is")
