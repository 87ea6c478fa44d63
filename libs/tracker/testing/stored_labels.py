"""Samples of a made-up market, stored as the labels, features and scores that a fleet would have."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import numpy as np

from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.learning.samples import Samples
from tracker.quant.models.scorer import Scorer
from tracker.runtime.model_data import moment
from tracker.store.database import Transaction
from tracker.store.features import write_features
from tracker.store.labels import LabelConfig, LabelRow, put_label_config, replace_labels
from tracker.store.predictions import Prediction, write_predictions

REGIMES = ("unknown", "trend_up", "trend_down", "range")


def label_config(strategy: str, label_hash: str, strategy_hash: str, timeframe: Timeframe) -> LabelConfig:
    """Return a label configuration without any rules."""
    return LabelConfig(
        hash=label_hash, strategy=strategy, timeframe=timeframe, strategy_hash=strategy_hash, params={}, rules={}
    )


async def store_labels(transaction: Transaction, samples: Samples, feature_set: int, config: LabelConfig) -> None:
    """Write samples as labels in place of those of the same time; symbol s of the samples is symbol id s + 1."""
    await put_label_config(transaction, config)
    for symbol in np.unique(samples.symbol).tolist():
        rows = np.flatnonzero(samples.symbol == symbol)
        labels = [
            LabelRow(
                decided_at=moment(int(samples.decided_at[row])), exit_at=moment(int(samples.exit_at[row])),
                outcome="win" if samples.won[row] else "loss", exit_reason="target" if samples.won[row] else "stop",
                regime=REGIMES[int(samples.regime[row])], volatility="mid", is_signal=True, confirmations=3,
                strength=0.7, bars_to_exit=4, entry=100.0, entry_price=100.0, exit_price=101.0,
                gross_return=float(samples.net_return[row]) + 0.001, net_return=float(samples.net_return[row]),
                mae=-0.01, mfe=0.02, weight=float(samples.weight[row]),
            )
            for row in rows.tolist()
        ]  # fmt: skip
        span = labels[0].decided_at - timedelta(hours=1), labels[-1].decided_at
        await replace_labels(transaction, config, symbol + 1, span, labels, feature_set, samples.features[rows])


async def store_features(
    transaction: Transaction, samples: Samples, feature_set: int, timeframe: Timeframe
) -> None:
    """Write what the feature calculator would have stored of the samples' bars."""
    opens = [moment(int(each) - timeframe.seconds) for each in samples.decided_at.tolist()]
    symbols = [int(each) + 1 for each in samples.symbol.tolist()]
    await write_features(transaction, feature_set, timeframe, symbols, opens, samples.features)


async def store_scores(
    transaction: Transaction,
    samples: Samples,
    scorers: Mapping[int, Scorer],
    champion: int | None,
    threshold: float,
    config: LabelConfig,
) -> None:
    """Write what models, by their number, say of samples; only what the champion takes is traded."""
    for model_id, scorer in scorers.items():
        said = scorer.score(samples.features)
        await write_predictions(
            transaction,
            Strategy(config.strategy),
            config.strategy_hash,
            [
                Prediction(
                    symbol_id=int(samples.symbol[row]) + 1, decided_at=moment(int(samples.decided_at[row])),
                    model_id=model_id, is_champion=model_id == champion, margin=0.0, probability=float(said[row]),
                    threshold=threshold, is_signal=True,
                    taken=model_id == champion and float(said[row]) >= threshold,
                )
                for row in range(len(samples))
            ],
        )  # fmt: skip
