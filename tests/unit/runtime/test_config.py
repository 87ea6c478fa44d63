"""A wrong config is one sentence with file, field and value."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracker.domain.errors import ConfigError
from tracker.runtime.config import config_hash, load_toml
from tracker.runtime.settings import PROJECT_ROOT
from tracker.runtime.universe import Universe, load_universe

GOOD = '[[symbol]]\nsymbol = "BTC-USD"\npolygon = { stream = "BTC-USD", rest = "X:BTCUSD" }\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD + "colour = 3\n", "unknown key symbol.0.colour = 3"),
        ('[[symbol]]\nsymbol = "btc"\n', "symbol.0.symbol = 'btc'"),
        ("[[symbol]]\n", "symbol.0.symbol is missing"),
        ("[[symbol\n", "not valid TOML"),
        (GOOD + 'lot_step = "0"\n', "symbol.0.lot_step = '0'"),
    ],
)
def test_the_sentence_names_file_field_and_value(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "universe.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_toml(path, Universe)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read"):
        load_toml(tmp_path / "nowhere.toml", Universe)


def test_the_hash_follows_the_content(tmp_path: Path) -> None:
    path = tmp_path / "universe.toml"
    path.write_text(GOOD)
    first = load_toml(path, Universe)
    path.write_text("# a comment changes nothing\n" + GOOD)
    assert config_hash(load_toml(path, Universe)) == config_hash(first)
    path.write_text(GOOD + 'tier = "large"\n')
    assert config_hash(load_toml(path, Universe)) != config_hash(first)


def test_the_shipped_universe_has_ninety_symbols_with_those_the_vendor_does_not_know() -> None:
    symbols = {each.symbol for each in load_universe(PROJECT_ROOT / "configs" / "universe.toml").symbol}
    assert len(symbols) == 90
    assert {f"{name}-USD" for name in ("FARTCOIN", "MOG", "PONKE", "TREMP", "BRETT", "HIPPO")} <= symbols
