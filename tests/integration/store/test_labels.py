"""Labels in the database: written twice alike, read back as they were, by no one but their writer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import numpy as np
import pytest
from tracker.domain.errors import SchemaError
from tracker.domain.feature_set import FeatureSet
from tracker.domain.timeframe import Timeframe
from tracker.store.database import Database
from tracker.store.features import register_feature_set
from tracker.store.forgetting import forget_labels
from tracker.store.labels import (
    LABEL_REASONS,
    LABEL_REGIMES,
    LabelConfig,
    LabelRow,
    put_label_config,
    read_label_cursors,
    read_label_groups,
    read_label_rows,
    read_label_spans,
    replace_labels,
    write_label_weights,
)
from tracker.store.symbols import read_symbols, write_symbols
from tracker.testing.builders import make_instrument

Open = Callable[[str | None], Awaitable[Database]]
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
SET = FeatureSet(version="t", names=("one", "two", "three"))


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def config(strategy: str) -> LabelConfig:
    return LabelConfig(
        hash=f"h-{strategy}", strategy=strategy, timeframe=Timeframe.M15, strategy_hash="s", params={"a": 1}, rules={}
    )


def row(hours: float, net: float = 0.01, **changes: object) -> LabelRow:
    made = LabelRow(
        decided_at=at(hours), exit_at=at(hours + 2), outcome="win" if net > 0 else "loss", exit_reason="target",
        regime="range", volatility="high", is_signal=True, confirmations=3, strength=0.75, bars_to_exit=8, entry=100.0,
        entry_price=100.5, exit_price=102.0, gross_return=net + 0.004, net_return=net, mae=-0.01, mfe=0.02, weight=0.5,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def open_row(hours: float, outcome: str) -> LabelRow:
    nan = float("nan")
    return row(
        hours, outcome=outcome, exit_reason=None, bars_to_exit=None, entry_price=nan, exit_price=nan, gross_return=nan,
        net_return=nan, mae=nan, mfe=nan,
    )  # fmt: skip


async def prepared(open_database: Open, *strategies: str) -> tuple[Database, int, dict[str, int]]:
    owner = await open_database(None)
    async with owner.transaction() as transaction:
        await write_symbols(transaction, [make_instrument("BTC-USD"), make_instrument("ETH-USD")])
        ids = {each.symbol: each.symbol_id for each in await read_symbols(transaction)}
        number = await register_feature_set(transaction, SET)
        await transaction.commit()
    retrainer = await open_database("ml_retrainer")
    async with retrainer.transaction() as transaction:
        for strategy in strategies:
            await put_label_config(transaction, config(strategy))
            await put_label_config(transaction, config(strategy))
        await transaction.commit()
    return retrainer, number, ids


def features(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


async def test_what_was_written_is_read_in_the_order_of_time(open_database: Open) -> None:
    database, number, ids = await prepared(open_database, "dca")
    lost = row(2, -0.02, regime="trend_up", exit_reason="stop")
    made = {
        "ETH-USD": ([lost, open_row(3, "censored")], [[1, 2, np.nan]] * 2),
        "BTC-USD": ([row(1), row(2, is_signal=False), open_row(70, "unfilled"), row(24 * 90)], [[4, 5, 6]] * 4),
    }
    async with database.transaction() as transaction:
        for symbol, (rows, values) in made.items():
            span = (NOON, at(24 * 100))
            for written in (len(rows), 0):
                assert written == await replace_labels(
                    transaction, config("dca"), ids[symbol], span, rows, number, features(*values)
                )
        assert await read_label_cursors(transaction, "h-dca") == dict.fromkeys(ids.values(), at(24 * 100))

        async def read(begin: datetime, end: datetime, **changes: bool):
            return await read_label_rows(
                transaction, "dca", "h-dca", begin, end, feature_set=number, names=SET.names, **changes
            )

        table = await read(NOON, at(24 * 100))
        assert table.decided_at.tolist() == [int(at(hour).timestamp()) for hour in (1, 2, 2, 24 * 90)]
        btc, eth = ids["BTC-USD"], ids["ETH-USD"]
        assert table.symbol_id.tolist() == [btc, *sorted((btc, eth)), btc]
        place = table.symbol_id.tolist().index(eth)
        assert table.y.tolist() == [int(index != place) for index in range(4)]
        np.testing.assert_array_equal(table.X[place], features([1, 2, np.nan])[0])
        assert table.X.dtype == np.float32
        assert (table.exit_at - table.decided_at == 7200).all()
        assert table.net_return[place] == -0.02
        assert LABEL_REGIMES[table.regime[place]] == "trend_up"
        assert LABEL_REASONS[table.reason[place]] == "stop"
        assert table.weight.tolist() == [0.5] * 4
        assert len(await read(NOON, at(24 * 100), signals_only=True)) == 3
        assert len(await read(at(1), at(2))) == 2
        assert len(await read(at(24 * 95), at(24 * 100))) == 0
        with pytest.raises(SchemaError, match="another number of features"):
            await read_label_rows(
                transaction, "dca", "h-dca", NOON, at(24 * 100), feature_set=number, names=SET.names[:2]
            )


async def test_a_setup_that_is_gone_takes_its_label_along_and_a_weight_is_no_change(open_database: Open) -> None:
    database, number, ids = await prepared(open_database, "swing")
    btc, three = ids["BTC-USD"], features(*[[1, 2, 3]] * 3)
    async with database.transaction() as transaction:
        await replace_labels(transaction, config("swing"), btc, (NOON, at(9)), [row(1), row(2), row(3)], number, three)
        spans = await read_label_spans(transaction, "swing", "h-swing")
        weights = np.array([0.25, 0.5, 1.0])
        await write_label_weights(transaction, "swing", "h-swing", spans.symbol_id, spans.decided_at, weights)
        # Only what lies within the span is held against what is there now.
        changed = await replace_labels(
            transaction, config("swing"), btc, (at(1), at(9)), [row(3, mfe=0.5)], number, three[:1]
        )
        assert changed == 2
        spans = await read_label_spans(transaction, "swing", "h-swing")
        assert spans.decided_at.tolist() == [int(at(1).timestamp()), int(at(3).timestamp())]
        # The changed one is weighed anew by whoever changed it.
        assert spans.weight.tolist() == [0.25, 0.5]
        assert (await read_label_spans(transaction, "dca", "h-dca")).weight.tolist() == []


async def test_each_strategy_has_its_table_and_a_fourth_one_has_a_place(
    open_database: Open, database_url: str
) -> None:
    strategies = ("dca", "swing", "channel", "mine")
    database, number, ids = await prepared(open_database, *strategies)
    async with database.transaction() as transaction:
        for count, strategy in enumerate(strategies, start=1):
            rows = [row(hour) for hour in range(1, count + 1)]
            values = features(*[[1, 2, 3]] * count)
            await replace_labels(transaction, config(strategy), ids["BTC-USD"], (NOON, at(9)), rows, number, values)
        groups = await read_label_groups(transaction)
        await transaction.commit()
    assert {each.strategy: each.wins for each in groups} == dict(zip(strategies, (1, 2, 3, 4), strict=True))
    assert (await read_groups(database, "swing"))[0].weight == 1.0
    connection = await asyncpg.connect(database_url)
    try:
        for role in ("dashboard", "ml_retrainer"):
            await connection.execute(f"SET ROLE tracker_{role}")
            names = ("dca", "swing", "channel", "other")
            for count, name in enumerate(names, start=1):
                assert await connection.fetchval(f"SELECT count(*) FROM tracker.strategy_{name}_labels") == count
            # The whole has one writer; its parts have none of their own.
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("DELETE FROM tracker.strategy_dca_labels")
    finally:
        await connection.close()


async def read_groups(database: Database, strategy: str):
    async with database.transaction() as transaction:
        return await read_label_groups(transaction, strategy)


async def test_old_labels_are_forgotten_in_batches(open_database: Open) -> None:
    database, number, ids = await prepared(open_database, "dca", "mine")
    async with database.transaction() as transaction:
        for strategy in ("dca", "mine"):
            rows = [row(hour) for hour in range(1, 6)]
            values = features(*[[1, 2, 3]] * 5)
            await replace_labels(transaction, config(strategy), ids["BTC-USD"], (NOON, at(9)), rows, number, values)
        await transaction.commit()
    scheduler = await open_database("data_scheduler")
    async with scheduler.transaction() as transaction:
        assert [await forget_labels(transaction, at(4), 4) for _ in range(3)] == [4, 2, 0]
        spans = await read_label_spans(transaction, "mine", "h-mine")
        assert spans.decided_at.tolist() == [int(at(4).timestamp()), int(at(5).timestamp())]
