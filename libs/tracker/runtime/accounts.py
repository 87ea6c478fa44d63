"""The paper accounts and their rules: the default one, those of configs/accounts, those that a command describes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

from pydantic import TypeAdapter

from tracker.domain.errors import ConfigError
from tracker.quant.entry import EntryParams
from tracker.quant.paper import PaperConfig, TradingRules
from tracker.quant.risk import RiskConfig
from tracker.runtime.config import config_hash, read_toml, shaped
from tracker.runtime.strategies import configured_strategies
from tracker.store.database import Transaction
from tracker.store.ledger import read_accounts

PAPER_TABLES = tuple(each.name for each in fields(PaperConfig))
RISK_TABLES = tuple(each.name for each in fields(RiskConfig))
TABLES = (*PAPER_TABLES, *RISK_TABLES, "entry")
PAPER_FILE, RISK_FILE = "paper_trading.toml", "risk.toml"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")

# The tables of an account's file, with every value.
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _EntryFile:
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    entry: EntryParams = field(default_factory=EntryParams)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRules:
    """One account with its rules; `rules_from` says by the dotted name of a value which file or command set it.

    `from_file`: the files beside the paper trader are the truth, and not what stands in the database.
    """

    rules: TradingRules
    from_file: bool = True
    rules_from: Mapping[str, str] = field(default_factory=dict[str, str])
    hash: str = field(init=False)

    def __post_init__(self) -> None:
        """Work out the identity of the rules."""
        object.__setattr__(self, "hash", config_hash(self.rules))

    @property
    def name(self) -> str:
        """The account's name."""
        return self.rules.paper.account.name

    def document(self) -> dict[str, Any]:
        """Return the rules as the tables of a file."""
        rules = self.rules
        parts = ((rules.paper, PaperConfig), (rules.risk, RiskConfig), (_EntryFile(entry=rules.entry), _EntryFile))
        tables: dict[str, Any] = {}
        for part, shape in parts:
            tables.update(TypeAdapter(shape).dump_python(part, mode="json"))
        return tables


def load_accounts(config_dir: Path) -> tuple[AccountRules, ...]:
    """Return the account of paper_trading.toml and then those of configs/accounts, by name.

    Raises ConfigError naming file, field and value.
    """
    default = default_account(config_dir)
    found = [default]
    for path in sorted((config_dir / "accounts").glob("*.toml")):
        account = derived(default, str(path), f"accounts/{path.name}", _of_its_file(path), config_dir)
        if account.name == default.name:
            raise ConfigError(f"{path}: account.name = {account.name!r} is that of the account in {PAPER_FILE}")
        found.append(account)
    return tuple(found)


def default_account(config_dir: Path) -> AccountRules:
    """Return the account of paper_trading.toml with the rules of risk.toml."""
    rules_from: dict[str, str] = {}
    tables: dict[str, Any] = {}
    for file, names in ((PAPER_FILE, PAPER_TABLES), (RISK_FILE, RISK_TABLES)):
        path = config_dir / file
        raw = read_toml(path)
        shaped(str(path), raw, PaperConfig if file == PAPER_FILE else RiskConfig)
        tables.update({name: raw[name] for name in names if name in raw})
        rules_from.update({name: file for name in leaves(raw)})
    rules = rules_of(str(config_dir / PAPER_FILE), tables, config_dir)
    return AccountRules(rules=rules, rules_from=rules_from)


def derived(
    base: AccountRules, where: str, origin: str, changes: Document, config_dir: Path, *, from_file: bool = True
) -> AccountRules:
    """Return an account that differs from `base` by `changes`, which came from `origin`.

    `where` is what an error names. Raises ConfigError naming it, field and value.
    """
    for table, values in changes.items():
        if table not in TABLES:
            raise ConfigError(f"{where}: unknown key {table} = {values!r}: the tables are {', '.join(TABLES)}")
        if not isinstance(values, dict):
            raise ConfigError(f"{where}: {table} = {values!r} is not a table")
    rules = rules_of(where, _merged(base.document(), changes), config_dir)
    name = rules.paper.account.name
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{where}: account.name = {name!r} is no name of an account: at most 40 of a-z, 0-9, _ and -,"
            " a letter first"
        )
    rules_from = {**base.rules_from, **{name: origin for name in leaves(changes)}}
    return AccountRules(rules=rules, from_file=from_file, rules_from=rules_from)


def rules_of(where: str, tables: Document, config_dir: Path) -> TradingRules:
    """Return the rules that complete tables hold; raises ConfigError naming `where`, field and value."""
    paper = shaped(where, {name: tables[name] for name in PAPER_TABLES if name in tables}, PaperConfig)
    risk = shaped(where, {name: tables[name] for name in RISK_TABLES if name in tables}, RiskConfig)
    entry = shaped(where, {"entry": tables.get("entry", {})}, _EntryFile).entry
    known = configured_strategies(config_dir)
    for strategy in paper.account.strategies or ():
        if strategy not in known:
            raise ConfigError(
                f"{where}: account.strategies = {strategy!r}: there is no such file in configs/strategies"
            )
    return TradingRules(paper=paper, risk=risk, entry=entry)


def stored_account(
    name: str, document: Document | None, rules_from: Mapping[str, str], base: AccountRules, config_dir: Path
) -> AccountRules:
    """Return the account that the database describes; a value of a later day than the row is as in the files.

    Raises ConfigError naming account, field and value.
    """
    where = f"account {name!r}"
    if not isinstance(document, Mapping):
        raise ConfigError(f"{where}: there are no rules for it: configs/accounts/{name}.toml is gone")
    account = derived(base, where, "", document, config_dir, from_file=False)
    if account.name != name:
        raise ConfigError(f"{where}: account.name = {account.name!r} in its rules is another")
    return AccountRules(rules=account.rules, from_file=False, rules_from={**base.rules_from, **rules_from})


async def accounts_kept(
    transaction: Transaction, configured: Sequence[AccountRules], config_dir: Path
) -> tuple[list[AccountRules], dict[str, ConfigError]]:
    """Return the accounts with a ledger, by name, and why the rules of others are unusable."""
    own = {each.name: each for each in configured}
    usable, unusable = list[AccountRules](), dict[str, ConfigError]()
    for row in await read_accounts(transaction):
        kept = row.kept
        try:
            usable.append(
                own.get(row.account)
                or stored_account(row.account, kept.rules, kept.rules_from, configured[0], config_dir)
            )
        except ConfigError as error:
            unusable[row.account] = error
    return usable, unusable


def _of_its_file(path: Path) -> dict[str, Any]:
    raw = read_toml(path)
    account = raw.setdefault("account", {})
    if isinstance(account, dict) and account.setdefault("name", path.stem) != path.stem:
        raise ConfigError(f"{path}: account.name = {account['name']!r} is not the name of the file")
    return raw


def _merged(base: Document, changes: Document) -> dict[str, Any]:
    result = dict(base)
    for name, value in changes.items():
        before = result.get(name)
        result[name] = _merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return result


def leaves(tables: Document, prefix: str = "") -> dict[str, Any]:
    """Return all values by their dotted names."""
    found: dict[str, Any] = {}
    for name, value in tables.items():
        dotted = f"{prefix}{name}"
        found.update(leaves(value, f"{dotted}.") if isinstance(value, Mapping) else {dotted: value})
    return found
