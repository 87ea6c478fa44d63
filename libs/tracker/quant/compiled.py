"""The hot loops as machine code: what numba makes of functions that live code calls as they are.

Imported by bulk work alone: numba takes a second and 100 MB that no live service can spare.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numba
import numpy as np
from numba.core import config

from tracker.quant import kernel, pricing, risk_rules
from tracker.quant.bulk import alone, deciding, desk, trading
from tracker.quant.shadow import swarm


def compiled(modules: Sequence[ModuleType]) -> dict[str, Callable[..., Any]]:
    """Return numba's version of every function that the modules define, by name.

    The functions call each other's compiled versions, not the plain ones; their names must differ. Without fastmath,
    so that every operation rounds as the plain one does.
    """
    namespace: dict[str, Any] = {"__name__": __name__}
    functions: dict[str, FunctionType] = {}
    for module in modules:
        for name, value in vars(module).items():
            if isinstance(value, FunctionType) and value.__module__ == module.__name__:
                functions[name] = value
            elif not name.startswith("__"):
                namespace.setdefault(name, value)
    for name, function in functions.items():
        copy = FunctionType(function.__code__, namespace, name, function.__defaults__)
        namespace[name] = numba.njit(copy, cache=True)
    return {name: namespace[name] for name in functions}


def _keep_code_in(folder: Path) -> None:
    """Keep compiled code between processes, under the hash of everything it is made of.

    numba itself only looks at the file of the function called, not at those of the functions that it calls.
    """
    sources = (each.__file__ for each in (pricing, kernel, risk_rules, desk, deciding, trading, swarm, alone))
    text = b"".join(Path(each).read_bytes() for each in sources if each is not None)
    versions = f"{numba.__version__} {np.__version__}".encode()
    place = folder / f"machine-code-{hashlib.sha256(text + versions).hexdigest()[:16]}"
    setattr(config, "CACHE_DIR", str(place))  # noqa: B010 - made of the environment, so unknown to type checkers


def _writable() -> Path:
    beside = Path(__file__).parent / "__pycache__"
    try:
        beside.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=beside):
            return beside
    except OSError:
        return Path(tempfile.mkdtemp(prefix="tracker-"))


_keep_code_in(_writable())
_CODE = compiled((pricing, kernel, risk_rules, deciding, trading, swarm, alone))
walk = _CODE["walk"]
trade_all = _CODE["trade_all"]
resume = _CODE["resume"]
trade_many = _CODE["trade_many"]
trade_alone = _CODE["trade_alone"]
