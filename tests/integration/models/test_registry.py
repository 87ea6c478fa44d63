"""Candidates stored with everything that was found out, champions changed whole, and damage that is told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import asyncpg
import numpy as np
import pytest
from model_world import OpenDatabase, World
from tracker.domain.errors import InputError, ModelError
from tracker.domain.signal import Strategy
from tracker.quant.features import FEATURE_SET
from tracker.quant.learning.model import Trained
from tracker.runtime import model_registry as registry
from tracker.runtime.live_model import LiveModel
from tracker.runtime.model_data import compare_as_of, moment, read_samples
from tracker.runtime.model_training import StoredTraining, store_training
from tracker.runtime.stored_registry import StoredRegistry
from tracker.store.features import find_feature_set, write_features
from tracker.store.models import (
    read_card,
    read_champion_id,
    read_importance,
    read_model,
    read_model_events,
    read_model_verdicts,
    read_models,
)
from tracker.store.predictions import Prediction, write_predictions
from tracker.store.trials import count_trials

BY = "somebody@here"
LATER = timedelta(days=400)


async def stored(world: World, trained: Trained) -> StoredTraining:
    async with world.database.transaction() as transaction:
        found = await store_training(transaction, world.which, trained, world.config, BY)
        await transaction.commit()
    return found


async def promoted(world: World, model_id: int, *, force: bool = False, reason: str = "") -> bool:
    now = moment(int(world.samples.exit_at.max()))
    async with world.database.transaction() as transaction:
        _, done = await registry.promote(
            transaction, model_id, world.config, now, BY, force=force, reason=reason
        )
        await transaction.commit()
    return done


async def standing(world: World) -> dict[int, str]:
    async with world.database.transaction() as transaction:
        return {each.model_id: each.status for each in await read_models(transaction, "swing")}


async def test_labels_come_back_as_they_were_learnt_from(world: World) -> None:
    end = moment(int(world.samples.exit_at.max()))
    async with world.database.transaction() as transaction:
        found = await read_samples(transaction, world.which, end - LATER, end)
    assert 0 < len(found) < len(world.samples)
    order = np.lexsort((world.samples.symbol, world.samples.decided_at))[: len(found)]
    np.testing.assert_array_equal(found.decided_at, world.samples.decided_at[order])
    np.testing.assert_array_equal(found.features, world.samples.features[order])
    np.testing.assert_array_equal(found.won, world.samples.won[order])
    np.testing.assert_array_equal(found.net_return, world.samples.net_return[order])


async def test_a_candidate_is_kept_with_lineage_trials_importance_verdict_and_card(world: World) -> None:
    done = await stored(world, world.edged)
    async with world.database.transaction() as transaction:
        model = await read_model(transaction, done.model_id)
        importance = await read_importance(transaction, done.model_id)
        verdicts = await read_model_verdicts(transaction, done.model_id)
        card = await read_card(transaction, done.model_id)
        count, _ = await count_trials(transaction, "swing", model.lineage["data_hash"])
    assert (model.status, model.feature_hash) == ("candidate", FEATURE_SET.hash)
    assert model.label_config == world.which.config_hash
    assert model.lineage["trials"] == count == len(world.edged.tried)
    assert {"seed", "code", "libraries", "learnt_from", "learnt_through", "feature_set"} <= set(model.lineage)
    assert model.window_from < model.known_from
    assert [each[0] for each in importance] == [each.feature for each in world.edged.importance]
    assert verdicts[0]["passed"]
    assert all(each["number"] is not None and "limit" in each for each in verdicts[0]["criteria"])
    assert card.startswith("<!doctype html>")
    assert "http" not in card.replace("http://www.w3.org", "")
    # The same labels and configuration are the same bytes, and those are the same model.
    again = await stored(world, world.edged)
    assert (again.model_id, again.is_new) == (done.model_id, False)


async def test_a_model_goes_through_the_gate_or_against_it_with_a_reason(world: World) -> None:
    noise, edge = await stored(world, world.blind), await stored(world, world.edged)
    assert not await promoted(world, noise.model_id)
    with pytest.raises(InputError, match="--reason"):
        await promoted(world, noise.model_id, force=True)
    assert await promoted(world, noise.model_id, force=True, reason="a drill")
    assert await promoted(world, edge.model_id)
    assert await standing(world) == {noise.model_id: "retired", edge.model_id: "champion"}
    with pytest.raises(InputError, match="champion of swing already"):
        await promoted(world, edge.model_id)
    async with world.database.transaction() as transaction:
        kept = await read_model_verdicts(transaction, noise.model_id)
        last = (await read_model_verdicts(transaction, edge.model_id))[0]
    assert [(each["forced"], each["promoted"], each["reason"]) for each in kept] == [
        (True, True, "a drill"), (False, False, ""), (False, False, ""),
    ]  # fmt: skip
    assert last["champion_id"] == noise.model_id
    assert "lower bound of the log-loss gained on the champion" in {each["name"] for each in last["criteria"]}


async def test_a_rollback_returns_to_the_champion_before_and_once_more_to_the_one_before_that(world: World) -> None:
    one, two = await stored(world, world.blind), await stored(world, world.edged)
    for each in (one, two):
        await promoted(world, each.model_id, force=True, reason="a drill")
    async with world.database.transaction() as transaction:
        gone, come = await registry.rollback(transaction, "swing", BY, "it loses")
        await transaction.commit()
    assert (gone.model_id, come.model_id) == (two.model_id, one.model_id)
    assert await standing(world) == {one.model_id: "champion", two.model_id: "retired"}
    async with world.database.transaction() as transaction:
        with pytest.raises(InputError, match="no champion before"):
            await registry.rollback(transaction, "swing", BY, "again")
        with pytest.raises(InputError, match="--reason"):
            await registry.rollback(transaction, "swing", BY, " ")
    async with world.database.transaction() as transaction:
        await registry.retire(transaction, one.model_id, BY, "nobody left")
        await transaction.commit()
    assert set((await standing(world)).values()) == {"retired"}
    async with world.database.transaction() as transaction:
        assert await read_champion_id(transaction, "swing") is None
        with pytest.raises(InputError, match="no champion to roll back"):
            await registry.rollback(transaction, "swing", BY, "again")
        with pytest.raises(InputError, match="retired already"):
            await registry.retire(transaction, one.model_id, BY, "again")
        events = await read_model_events(transaction, "swing", 10)
    assert [each["action"] for each in events] == ["retire", "rollback", "promote", "promote"]
    assert events[1]["reason"] == "it loses"


async def test_two_champions_of_a_strategy_cannot_be_written(world: World) -> None:
    one, two = await stored(world, world.blind), await stored(world, world.edged)
    await promoted(world, one.model_id, force=True, reason="a drill")
    async with world.database.transaction() as transaction:
        with pytest.raises(asyncpg.UniqueViolationError, match="models_one_champion"):
            await transaction.execute("models.crown", two.model_id, True, None)


async def test_of_two_promotions_at_once_one_comes_after_the_other(world: World) -> None:
    one, two = await stored(world, world.blind), await stored(world, world.edged)
    await asyncio.gather(*(promoted(world, each.model_id, force=True, reason="a race") for each in (one, two)))
    assert sorted((await standing(world)).values()) == ["champion", "retired"]


async def test_a_damaged_artifact_is_refused_wherever_it_is_loaded(world: World, database_url: str) -> None:
    one, two = await stored(world, world.blind), await stored(world, world.edged)
    await promoted(world, one.model_id, force=True, reason="a drill")
    await promoted(world, two.model_id, force=True, reason="a drill")
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute(
            "UPDATE tracker.models SET artifact = set_byte(artifact, 900, 255 - get_byte(artifact, 900))"
        )
    finally:
        await owner.close()
    async with world.database.transaction() as transaction:
        with pytest.raises(ModelError, match=rf"model {two.model_id} of swing: .*sha256"):
            await registry.load_scorer(transaction, two.model_id)
        with pytest.raises(ModelError, match="sha256"):
            await registry.rollback(transaction, "swing", BY, "the champion is broken")
    assert (await standing(world))[two.model_id] == "champion"


async def test_scanners_follow_the_registry(world: World) -> None:
    one, two = await stored(world, world.blind), await stored(world, world.edged)
    live = LiveModel(Strategy("swing"), 0.55, StoredRegistry())
    async with world.database.transaction() as transaction:
        assert not await live.refresh(transaction)
    assert live.champion is None
    assert len(live.challengers) == 2
    await promoted(world, two.model_id, force=True, reason="a drill")
    async with world.database.transaction() as transaction:
        assert await live.refresh(transaction)
    assert live.champion is not None
    assert live.champion.model_id == two.model_id
    assert [each.model_id for each in live.challengers] == [one.model_id]
    assert live.champion.known_from >= int(world.edged.window.decided_at[-1])


async def test_live_scores_and_their_outcomes_are_the_shadow(world: World, open_database: OpenDatabase) -> None:
    done = await stored(world, world.edged)
    window = world.edged.window
    said = world.edged.scorer.score(window.features)
    scanner = await open_database("strategy_scanner")
    async with scanner.transaction() as transaction:
        rows = [
            Prediction(
                symbol_id=int(window.symbol[row]) + 1, decided_at=moment(int(window.decided_at[row])),
                model_id=done.model_id, is_champion=False, margin=0.0, probability=float(said[row]), threshold=0.55,
                is_signal=True, taken=False,
            )
            for row in range(200)
        ]  # fmt: skip
        await write_predictions(transaction, Strategy("swing"), "c0ffee", rows)
        await transaction.commit()
    limits = replace(world.config.gate, min_shadow_hours=24.0, min_shadow_trades=20)
    async with world.database.transaction() as transaction:
        candidate = await registry.candidate_of(transaction, await read_model(transaction, done.model_id))
        judged = await registry.judge_candidate(transaction, candidate, window, limits)
        none = await registry.judge_candidate(transaction, replace(candidate, model_id=None), window, limits)
    assert judged.evidence.shadow.trades == 200
    assert judged.evidence.shadow.hours > 24
    assert judged.verdict.passed, judged.verdict.failed
    assert len(none.verdict.failed) == 3


async def test_features_of_the_labels_are_held_against_what_was_stored_live(
    world: World, open_database: OpenDatabase
) -> None:
    last = world.samples.take(np.arange(len(world.samples) - 60, len(world.samples)))
    last = replace(last, symbol=last.symbol + 1)
    calculator = await open_database("feature_calculator")
    async with calculator.transaction() as transaction:
        number = await find_feature_set(transaction, FEATURE_SET)
        assert number is not None
        for row in range(60):
            opens = moment(int(last.decided_at[row]) - world.which.timeframe.seconds)
            symbol = int(last.symbol[row])
            await write_features(
                transaction, number, world.which.timeframe, [symbol], [opens], last.features[row : row + 1]
            )
        await transaction.commit()
    shifted = replace(last, features=np.roll(last.features, -1, axis=0))
    one = last.features.copy()
    one[7, 3] += 0.01
    async with world.database.transaction() as transaction:
        assert await compare_as_of(transaction, last, world.which) == (60, 0)
        assert await compare_as_of(transaction, replace(last, features=one), world.which) == (60, 1)
        assert await compare_as_of(transaction, shifted, world.which) == (60, 60)
