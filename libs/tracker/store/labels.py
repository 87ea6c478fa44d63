"""Labels: what became of setups, written by symbol, read as arrays in the order of time."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from tracker.domain.errors import SchemaError
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.store.database import Transaction

# In the order of the numbers that the queries give them.
LABEL_REGIMES = ("unknown", "trend_up", "trend_down", "range")
LABEL_VOLATILITIES = ("unknown", "low", "mid", "high")
LABEL_REASONS = ("stop", "trailing", "target", "timeout", "break_even", "flatten")
SPAN_OUTCOMES = ("win", "loss", "censored", "unfilled")
LABEL_WIN, LABEL_LOSS, LABEL_CENSORED, LABEL_UNFILLED = range(1, 5)
# Rows that are read in one go.
STRETCH = timedelta(days=60)
_COLUMNS = (
    ("decided_at", ">i8"), ("exit_at", ">i8"), ("symbol_id", ">i2"), ("outcome", ">i2"), ("regime", ">i2"),
    ("volatility", ">i2"), ("reason", ">i2"), ("is_signal", "?"), ("confirmations", ">i2"), ("bars_to_exit", ">i4"),
    ("strength", ">f4"), ("weight", ">f8"), ("net_return", ">f8"), ("gross_return", ">f8"), ("mae", ">f8"),
    ("mfe", ">f8"),
)  # fmt: skip
# Of Postgres' binary format: what a file begins with, and an array of one dimension before its elements.
_FILE_HEADER_BYTES = 19
_ARRAY_HEADER_BYTES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelConfig:
    """What labels are made with: `hash` is of everything that decides an outcome, `strategy_hash` that of signals."""

    hash: str
    strategy: str
    timeframe: Timeframe
    strategy_hash: str
    params: Mapping[str, Any]
    rules: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRow:
    """One label to be stored; None and NaN where there is none. Units as in the table's comments."""

    decided_at: datetime
    exit_at: datetime
    outcome: str
    exit_reason: str | None
    regime: str
    volatility: str
    is_signal: bool
    confirmations: int
    strength: float
    bars_to_exit: int | None
    entry: float
    entry_price: float
    exit_price: float
    gross_return: float
    net_return: float
    mae: float
    mfe: float
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSpans:
    """The lives of all labels of a configuration, by time: int64 (n,), Unix seconds; `outcome` 1.. of SPAN_OUTCOMES."""

    symbol_id: NDArray[np.int64]
    decided_at: NDArray[np.int64]
    exit_at: NDArray[np.int64]
    outcome: NDArray[np.int64]
    weight: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTable:
    """Labels that ended, n of them by time and then by symbol id: what a model is trained on.

    `X` float32 (n, F) of the features `names`, NaN where not known. Times int64 Unix seconds: what is known of a row
    at `decided_at` is X, its outcome at `exit_at`. `y` int8, 1 for a win. `net_return` and `gross_return` are fractions
    of what the trade's whole ladder would cost, after and before fees; `mae` <= 0 <= `mfe` of the average entry.
    `weight` is the uniqueness among the symbol's labels. `regime`, `volatility` and `reason` int8 are places in
    LABEL_REGIMES, LABEL_VOLATILITIES and LABEL_REASONS. `is_signal`: the strategy's own thresholds let it pass.
    """

    names: tuple[str, ...]
    X: NDArray[np.float32]
    symbol_id: NDArray[np.int16]
    decided_at: NDArray[np.int64]
    exit_at: NDArray[np.int64]
    y: NDArray[np.int8]
    net_return: NDArray[np.float64]
    gross_return: NDArray[np.float64]
    mae: NDArray[np.float64]
    mfe: NDArray[np.float64]
    weight: NDArray[np.float64]
    strength: NDArray[np.float32]
    confirmations: NDArray[np.int16]
    bars_to_exit: NDArray[np.int32]
    is_signal: NDArray[np.bool_]
    regime: NDArray[np.int8]
    volatility: NDArray[np.int8]
    reason: NDArray[np.int8]

    def __len__(self) -> int:
        """Return the number of labels."""
        return len(self.y)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelGroup:
    """How labels of a symbol, month, regime and kind ended; means are None where none ended."""

    strategy: str
    config_hash: str
    symbol: str
    month: datetime
    market_regime: str
    is_signal: bool
    wins: int
    losses: int
    censored: int
    unfilled: int
    mean_net_return: float | None
    mean_gross_return: float | None
    mean_bars_to_exit: float | None
    weight: float
    made_at: datetime


async def put_label_config(transaction: Transaction, config: LabelConfig) -> None:
    """Note what a hash stands for; a known one is left as it is."""
    await transaction.execute(
        "labels.put_config", config.hash, config.strategy, config.timeframe.value, config.strategy_hash,
        orjson.dumps(dict(config.params)).decode(), orjson.dumps(dict(config.rules)).decode(),
    )  # fmt: skip


async def read_label_configs(transaction: Transaction, strategy: str | None = None) -> list[LabelConfig]:
    """Return what labels of a strategy (None: of any) were made with, the newest last."""
    return [
        LabelConfig(
            hash=row["config_hash"], strategy=row["strategy"], timeframe=Timeframe(row["timeframe"]),
            strategy_hash=row["strategy_hash"], params=orjson.loads(row["params"]), rules=orjson.loads(row["rules"]),
        )
        for row in await transaction.fetch("labels.configs", strategy)
    ]  # fmt: skip


async def read_label_cursors(transaction: Transaction, config_hash: str) -> dict[int, datetime]:
    """Return by symbol id the last close that was looked at."""
    rows = await transaction.fetch("labels.cursors", config_hash)
    return {row["symbol_id"]: row["labelled_through"] for row in rows}


async def replace_labels(
    transaction: Transaction,
    config: LabelConfig,
    symbol_id: int,
    span: tuple[datetime, datetime],
    rows: Sequence[LabelRow],
    feature_set: int,
    features: NDArray[np.float32],
) -> int:
    """Make `rows`, all long, the labels of a symbol at closes in (first, end], and that what it is looked at through.

    `features` (n, F) of the registered set. Rows that are there already as they are stay as they are; returns how many
    were written or removed.
    """
    first, end = span
    dropped = await transaction.execute(
        "labels.drop_others", config.strategy, config.hash, symbol_id, first, end, [each.decided_at for each in rows]
    )
    written = 0
    if rows:
        written = await transaction.execute(
            "labels.write", config.strategy, config.hash, symbol_id, feature_set, "long",
            *(
                [_plain(getattr(each, name)) for each in rows]
                for name in (
                    "decided_at", "exit_at", "outcome", "exit_reason", "regime", "volatility", "is_signal",
                    "confirmations", "strength", "bars_to_exit", "entry", "entry_price", "exit_price", "gross_return",
                    "net_return", "mae", "mfe",
                )
            ),
            features.ravel().tolist(), features.shape[1], [each.weight for each in rows],
        )  # fmt: skip
    await transaction.execute("labels.advance_cursor", config.hash, symbol_id, end, first)
    return dropped + written


async def read_label_spans(transaction: Transaction, strategy: str, config_hash: str) -> LabelSpans:
    """Return the lives of all labels of a configuration."""
    rows = await transaction.fetch("labels.spans", strategy, config_hash)
    columns = list(zip(*(tuple(row) for row in rows), strict=True)) or [()] * 5
    whole = [np.array(each, dtype=np.int64) for each in columns[:4]]
    return LabelSpans(
        symbol_id=whole[0], decided_at=whole[1], exit_at=whole[2], outcome=whole[3],
        weight=np.array(columns[4], dtype=np.float64),
    )  # fmt: skip


async def write_label_weights(
    transaction: Transaction,
    strategy: str,
    config_hash: str,
    symbol_ids: NDArray[np.int64],
    decided_at: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> None:
    """Give labels, named by symbol id and close in Unix seconds (n,), their weights."""
    moments = [_moment(each) for each in decided_at.tolist()]
    await transaction.execute(
        "labels.weigh", strategy, config_hash, symbol_ids.tolist(), moments, weights.tolist()
    )


async def read_stored_features(
    transaction: Transaction,
    symbol_id: int,
    timeframe: Timeframe,
    feature_set: int,
    opens: NDArray[np.int64],
) -> dict[int, list[float]]:
    """Return the stored features of a symbol's bars by their open in Unix seconds, of those that have any."""
    moments = [_moment(each) for each in opens.tolist()]
    rows = await transaction.fetch("labels.stored_features", symbol_id, timeframe.value, feature_set, moments)
    return {row["ts"]: row["values"] for row in rows}


async def read_label_groups(transaction: Transaction, strategy: str | None = None) -> list[LabelGroup]:
    """Return how labels ended, by symbol, month, regime and kind."""
    return [LabelGroup(**dict(row.items())) for row in await transaction.fetch("labels.groups", strategy)]


async def read_label_rows(
    transaction: Transaction,
    strategy: str,
    config_hash: str,
    begin: datetime,
    end: datetime,
    *,
    feature_set: int,
    names: Sequence[str],
    signals_only: bool = False,
) -> LabelTable:
    """Return the labels that ended and were decided in (begin, end], oldest first.

    `feature_set` is the number of the registered set whose `names` the columns are. Raises SchemaError where a row has
    another number of features.
    """
    chosen = (strategy, config_hash, begin, end, feature_set, signals_only)
    count: int = await transaction.fetch_value("labels.count_rows", *chosen)
    record = _record(len(names))
    found = {name: np.empty(count, dtype=kind[1:] if kind != "?" else kind) for name, kind in _COLUMNS}
    features = np.empty((count, len(names)), dtype=np.float32)
    at, first = 0, max(begin, await _first(transaction, strategy, config_hash, begin)) if count else end
    while first < end:
        # A stretch at a time, so that what the server sends is never held as a whole beside the arrays.
        stop = min(first + STRETCH, end)
        sink = io.BytesIO()
        await transaction.copy_out(
            "labels.rows", sink, strategy, config_hash, first, stop, feature_set, signals_only
        )
        rows = _parse(sink, record)
        for name, _ in _COLUMNS:
            found[name][at : at + len(rows)] = rows[name]["value"]
        features[at : at + len(rows)] = rows["features"]["values"]["value"]
        at, first = at + len(rows), stop
    return _table(names, features, found)


async def _first(transaction: Transaction, strategy: str, config_hash: str, begin: datetime) -> datetime:
    found = await transaction.fetch_value("labels.first", strategy, config_hash, begin)
    return begin if found is None else found - timedelta(microseconds=1)


def _record(width: int) -> np.dtype[Any]:
    """Return the layout of a row in the binary format, in which every field has its length before it."""
    fields: list[Any] = [("count", ">i2")]
    for name, kind in _COLUMNS:
        fields.append((name, [("length", ">i4"), ("value", kind)]))
    values = np.dtype([("length", ">i4"), ("value", ">f4")])
    array = [("length", ">i4"), ("header", f"V{_ARRAY_HEADER_BYTES}"), ("values", values, (width,))]
    return np.dtype([*fields, ("features", array)])


def _parse(sink: io.BytesIO, record: np.dtype[Any]) -> NDArray[Any]:
    data = sink.getbuffer()
    # Behind the rows there are two bytes more.
    size = len(data) - _FILE_HEADER_BYTES - 2
    if size % record.itemsize:
        raise SchemaError("labels: a row has another number of features than its feature set")
    rows = np.frombuffer(data, record, count=size // record.itemsize, offset=_FILE_HEADER_BYTES)
    lengths = record["features"].itemsize - 4
    if len(rows) and not (np.all(rows["count"] == len(_COLUMNS) + 1) and np.all(rows["features"]["length"] == lengths)):
        raise SchemaError("labels: a row has another number of features than its feature set")
    return rows


def _table(names: Sequence[str], features: NDArray[np.float32], found: Mapping[str, NDArray[Any]]) -> LabelTable:
    same = ("symbol_id", "decided_at", "exit_at", "net_return", "gross_return", "mae", "mfe", "weight", "strength",
            "confirmations", "bars_to_exit", "is_signal")  # fmt: skip
    return LabelTable(
        names=tuple(names),
        X=features,
        y=(found["outcome"] == LABEL_WIN).astype(np.int8),
        **{name: (found[name] - 1).astype(np.int8) for name in ("regime", "volatility", "reason")},
        **{name: found[name] for name in same},
    )


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _moment(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)
