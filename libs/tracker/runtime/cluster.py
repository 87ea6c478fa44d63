"""More than one machine: the same work on a Dask cluster."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager

from joblib import parallel_config

from tracker.domain.errors import InputError


@contextmanager
def cluster_of(address: str | None) -> Iterator[None]:
    """Let joblib work on the Dask cluster at `address` within the block; None: on this machine.

    Raises InputError where the cluster's package is not installed or nobody answers.
    """
    if address is None:
        yield
        return
    try:
        distributed = importlib.import_module("distributed")
    except ImportError:
        raise InputError("--dask needs the package distributed: .venv/bin/python -m pip install distributed") from None
    try:
        client = distributed.Client(address, timeout="5s")
    except (OSError, ValueError) as error:
        raise InputError(f"--dask {address}: no cluster answers there: {error}") from None
    with client, parallel_config(backend="dask", wait_for_workers_timeout=10):
        yield
