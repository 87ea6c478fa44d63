"""The strategy of docs/write-a-strategy.md, taken from the page."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tracker.runtime.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "write-a-strategy.md"
_BLOCK = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.M | re.S)


def blocks() -> dict[str, str]:
    """Return the text of each file that the page shows, by its path below the project root."""
    return {path: text for path, text in _BLOCK.findall(PAGE.read_text(encoding="utf-8"))}


def write_strategy(root: Path) -> tuple[Path, Path]:
    """Put the rule and its numbers beside a copy of the shipped configuration; return (configs, strategies)."""
    configs = Path(shutil.copytree(PROJECT_ROOT / "configs", root / "configs"))
    for path in ("strategies/ema_cross.py", "configs/strategies/ema_cross.toml"):
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(blocks()[path], encoding="utf-8")
    return configs, root / "strategies"
