"""What the pages Models and Shadow read, against plain questions to the same filled database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from tracker.store.database import Database, Transaction
from tracker.testing.filled_database import Filled

from services.dashboard.pages.models import CALIBRATION, CARD, FACTS, MODELS
from services.dashboard.pages.shadow import EVERY, PROGRESS, VARIATION, WINDOW


@pytest.fixture
async def page(filled: tuple[str, Filled]) -> AsyncIterator[Transaction]:
    """A transaction as the dashboard has it."""
    database = await Database.open(filled[0], role="tracker_dashboard", pool_size=1, application="test")
    try:
        async with database.transaction(snapshot=True) as transaction:
            yield transaction
    finally:
        await database.close()


@pytest.fixture
async def plain(filled: tuple[str, Filled]) -> AsyncIterator[asyncpg.Connection[Any]]:
    """The same database without any of our code."""
    connection = await asyncpg.connect(filled[0])
    yield connection
    await connection.close()


async def test_all_models_and_who_decides(
    page: Transaction, plain: asyncpg.Connection[Any], filled: tuple[str, Filled]
) -> None:
    found = await MODELS.read(page)
    stored = {row["model_id"]: row for row in await plain.fetch("SELECT * FROM tracker.models")}
    assert {each.model_id: each.status for each in found.models} == {key: row["status"] for key, row in stored.items()}
    champions = [each.model_id for each in found.models if each.status == "champion"]
    assert [each.model_id for each in found.models[: len(champions)]] == champions
    assert found.scanning == tuple(sorted(filled[1].strategies))
    assert found.looks.keys() == set(champions)
    newest = await plain.fetch("SELECT model_id, max(watched_at) AS at FROM tracker.model_performance GROUP BY 1")
    assert {row["model_id"]: row["at"] for row in newest} == {
        key: look["watched_at"] for key, look in found.looks.items()
    }
    assert len(found.history) == await plain.fetchval("SELECT count(*) FROM tracker.model_events")
    assert await MODELS.read(page) == found


async def test_one_model_and_none(page: Transaction, plain: asyncpg.Connection[Any]) -> None:
    champion = await plain.fetchval("SELECT model_id FROM tracker.models WHERE status = 'champion' LIMIT 1")
    facts = await FACTS.read(page, champion)
    criteria = await plain.fetchval(
        "SELECT jsonb_array_length(criteria) FROM tracker.model_verdicts WHERE model_id = $1"
        " ORDER BY verdict_id DESC LIMIT 1", champion,
    )  # fmt: skip
    assert len(facts.verdict) == criteria
    gains = await plain.fetch(
        "SELECT feature FROM tracker.feature_importance WHERE model_id = $1 ORDER BY gain DESC, feature LIMIT 15",
        champion,
    )
    assert [each["feature"] for each in facts.importance] == [row["feature"] for row in gains]
    assert [each["psi"] for each in facts.drift] == sorted((each["psi"] for each in facts.drift), reverse=True)
    assert [each["watched_at"] for each in facts.looks] == sorted(each["watched_at"] for each in facts.looks)
    groups = await CALIBRATION.read(page, champion)
    assert [each["bucket"] for each in groups] == list(range(1, 11))
    assert await CARD.read(page, champion) == await plain.fetchval(
        "SELECT card FROM tracker.models WHERE model_id = $1", champion
    )
    nothing = await FACTS.read(page, None)
    assert (nothing.verdict, nothing.importance, nothing.drift, nothing.looks) == ((), (), (), ())
    assert await CALIBRATION.read(page, None) == ()
    assert await CARD.read(page, 10**9) == ""


async def test_the_variations_of_a_window(page: Transaction, plain: asyncpg.Connection[Any]) -> None:
    progress = await PROGRESS.read(page)
    tried = await plain.fetch(
        "SELECT strategy, count(*) AS n FROM tracker.shadow_variations WHERE retired_at IS NULL GROUP BY 1 ORDER BY 1"
    )
    assert [(each.strategy, each.variations) for each in progress] == [(row["strategy"], row["n"]) for row in tried]
    as_of = progress[0].as_of
    every = await WINDOW.read(page, "30d", EVERY, as_of)
    assert len(every.points) == sum(row["n"] for row in tried)
    assert sum(each.is_live for each in every.points) == len(tried)
    known = [each["dsr"] for each in every.leaders if each["dsr"] is not None]
    assert known == sorted(known, reverse=True)
    assert {each["strategy"] for each in every.leaders if each["is_live"]} == {row["strategy"] for row in tried}
    own = await WINDOW.read(page, "7d", "dca", as_of)
    assert {each.strategy for each in own.points} == {each["strategy"] for each in own.leaders} == {"dca"}
    assert own.leaders[0]["place"] == 1
    nothing = await WINDOW.read(page, "", EVERY, None)
    assert (nothing.points, nothing.leaders) == ((), ())


async def test_a_variation_in_each_window(page: Transaction, plain: asyncpg.Connection[Any]) -> None:
    row = await plain.fetchrow("SELECT id, changes FROM tracker.shadow_variations WHERE source <> 'live' LIMIT 1")
    assert row is not None
    outcomes = await VARIATION.read(page, row["id"], None)
    assert [each["span"] for each in outcomes] == ["1d", "7d", "30d", "all"]
    assert set(outcomes[0]["changes"]) == {"stop_atr", "target_r"}
    assert await VARIATION.read(page, EVERY, None) == ()
