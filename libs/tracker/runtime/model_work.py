"""Training as files and tasks, so that any process that sees the folder can do a part of it.

Workers are given paths, not arrays; a task depends on nothing but its folder, and doing it twice does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from joblib import Parallel, delayed
from pydantic import TypeAdapter

from tracker.quant.learning.boosting import configurations
from tracker.quant.learning.model import Trained, finish, last_tasks
from tracker.quant.learning.samples import Samples
from tracker.quant.learning.settings import ModelsConfig
from tracker.quant.learning.training import Attempt, Prepared, Task, attempt, compare, prepare, tries_of

META = "work.json"
# Tasks that are sent together: those of one fold share its rows made ready.
BLOCK = 4
Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Work:
    prepared: Prepared
    config: ModelsConfig
    monotone: Mapping[str, int]


def write_samples(folder: Path, samples: Samples, config: ModelsConfig, monotone: Mapping[str, int]) -> None:
    """Write what every task of a strategy reads."""
    folder.mkdir(parents=True, exist_ok=True)
    for each in fields(samples)[1:]:
        np.save(folder / f"{each.name}.npy", getattr(samples, each.name), allow_pickle=False)
    meta = {"names": samples.names, "config": asdict(config), "monotone": dict(monotone)}
    (folder / META).write_bytes(orjson.dumps(meta))


def do_tasks(folder: str, tasks: Sequence[Task]) -> list[Attempt]:
    """Do tasks on the samples in a folder."""
    work = _load(folder)
    learning, folds = work.prepared.learning, work.prepared.folds
    return attempt(learning, folds, tasks, work.config.training, work.monotone)


def train_all(
    folder: Path,
    samples: Mapping[str, Samples],
    config: ModelsConfig,
    jobs: int,
    tell: Tell | None = None,
) -> dict[str, Trained]:
    """Train a model a strategy, with so many processes or what joblib was configured to use.

    `tell` is told how many tasks are done, and of how many. Raises InputError where samples cannot be learnt from.
    """
    plan = config.training
    prepared = {name: prepare(each, plan) for name, each in samples.items()}
    for name, each in samples.items():
        write_samples(folder / name, each, config, config.monotone.get(name, {}))
    tried = configurations(config.search, plan.trials, plan.seed)
    folds = {name: len(each.folds) for name, each in prepared.items()}
    total = sum(count * (len(tried) + 1) + 1 for count in folds.values())
    done = 0

    def run(tasks: Mapping[str, Sequence[Task]]) -> dict[str, list[Attempt]]:
        nonlocal done
        blocks = [(name, some) for name, each in tasks.items() for some in _blocks(each)]
        found: dict[str, list[Attempt]] = {name: [] for name in tasks}
        work = (delayed(do_tasks)(str(folder / name), some) for name, some in blocks)
        results: Any = Parallel(n_jobs=jobs, return_as="generator", pre_dispatch="2*n_jobs")(work)
        for (name, some), result in zip(blocks, results, strict=True):
            found[name] += result
            done += len(some)
            if tell is not None:
                tell(done, total)
        return found

    attempts = run({name: tries_of(tried, count) for name, count in folds.items()})
    tries = {name: compare(each, tried, attempts[name]) for name, each in prepared.items()}
    last = run({name: last_tasks(each, tries[name]) for name, each in prepared.items()})
    return {name: finish(each, tries[name], attempts[name], last[name], config) for name, each in prepared.items()}


def _blocks(tasks: Sequence[Task]) -> list[Sequence[Task]]:
    return [tasks[at : at + BLOCK] for at in range(0, len(tasks), BLOCK)]


@lru_cache(maxsize=1)
def _load(folder: str) -> _Work:
    path = Path(folder)
    meta = orjson.loads((path / META).read_bytes())
    names = [each.name for each in fields(Samples)[1:]]
    columns = {name: np.load(path / f"{name}.npy", allow_pickle=False) for name in names}
    config = TypeAdapter(ModelsConfig).validate_python(meta["config"])
    samples = Samples(names=tuple(meta["names"]), **columns)
    return _Work(prepare(samples, config.training), config, meta["monotone"])
