"""Principal components of activations over training, all checkpoints on the same axes: data for a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.interpret.geometry.activations import Features, Places, ends, groups_of, read_features
from saltus.interpret.network.hooked import HookedModel, Site
from saltus.interpret.network.prompts import Prompts
from saltus.records.errors import UsageError
from saltus.records.evidence import ModelRecord
from saltus.records.findings import Interval
from saltus.stats.jackknife import blocks_of, jackknife_interval

Floats = NDArray[np.float64]
Fit = Literal["last", "joint"]


class PcaPath(msgspec.Struct, frozen=True, kw_only=True):
    """Samples of each checkpoint on common axes.

    Attributes:
        models: Ids of the checkpoints, in the order given.
        steps: Their optimiser steps, None where unknown.
        samples: Id of the sample behind each point.
        labels: Its class, as text.
        coordinates: Checkpoints x samples x axes; each checkpoint is centred on its own mean.
        explained: Share of each checkpoint's variance that the common axes hold; interval over samples.
        own: Share that as many axes of the checkpoint's own would hold: the most that `explained` can be.
        chance: Share that as many axes in random directions would hold.
        basis: Width x axes, orthonormal.
    """

    models: tuple[str, ...]
    steps: tuple[float | None, ...]
    samples: tuple[str, ...]
    labels: tuple[str, ...]
    coordinates: Floats
    explained: tuple[Interval, ...]
    own: tuple[float, ...]
    chance: float
    basis: Floats


def pca_path(
    models: Iterable[tuple[ModelRecord, HookedModel]],
    prompts: Prompts,
    site: Site,
    *,
    places: Places | None = None,
    labels: Sequence[Any] | NDArray[Any] | None = None,
    axes: int = 2,
    fit: Fit = "last",
    level: float = 0.9,
) -> PcaPath:
    """Project the activations of every checkpoint on one basis.

    Args:
        models: Records with their models, one open at a time, all of one width.
        prompts: What they read.
        site: Which activation.
        places: Of the samples; the last token of each prompt when None.
        labels: The class of each place; the first token of the answer when None.
        axes: How many.
        fit: Components of the "last" checkpoint, or of all of them together ("joint", each checkpoint divided
            by its total spread so that a large one does not rule).
        level: Of the intervals.

    Raises:
        UsageError: There is no checkpoint, their widths differ, or there are fewer dimensions than axes.
    """
    where = ends(prompts) if places is None else places
    records: list[ModelRecord] = []
    clouds: list[Floats] = []
    for record, model in models:
        records.append(record)
        clouds.append(_centred(read_features(model, prompts, [site], where)[site]))
    _check(clouds, axes)
    basis = _basis(clouds, axes, fit)
    classes = prompts.answers[where.rows, 0] if labels is None else labels
    groups = groups_of(prompts, where)
    blocks = blocks_of(len(where), groups, np.random.default_rng(0))
    return PcaPath(
        models=tuple(record.id for record in records),
        steps=tuple(record.step for record in records),
        samples=tuple(prompts.samples[item] for item in prompts.items[where.rows]),
        labels=tuple(str(one) for one in classes),
        coordinates=np.stack([cloud @ basis for cloud in clouds]),
        explained=tuple(_explained(cloud, basis, blocks, level) for cloud in clouds),
        own=tuple(_share(cloud, _basis([cloud], axes, "last")) for cloud in clouds),
        chance=axes / basis.shape[0],
        basis=basis,
    )


def _centred(features: Features) -> Floats:
    rows = features.astype(float)
    return np.asarray(rows - rows.mean(0))


def _check(clouds: list[Floats], axes: int) -> None:
    widths = sorted({cloud.shape[1] for cloud in clouds})
    if len(widths) != 1:
        raise UsageError(
            f"the checkpoints have the widths {widths or 'of none'}; one basis needs "
            "checkpoints of one width",
            field="models",
        )
    most = min(widths[0], len(clouds[0]) - 1)
    if not 1 <= axes <= most:
        raise UsageError(f"there are {most} axes at most and {axes} were asked for", field="axes")


def _basis(clouds: list[Floats], axes: int, fit: Fit) -> Floats:
    """Orthonormal axes, the largest entry of each positive."""
    if fit == "last":
        covariance = clouds[-1].T @ clouds[-1]
    else:
        covariance = sum(
            (cloud.T @ cloud / max(float((cloud * cloud).sum()), 1e-300) for cloud in clouds),
            start=np.zeros((clouds[0].shape[1],) * 2),
        )
    vectors = np.linalg.eigh(covariance)[1][:, ::-1][:, :axes]
    signs = np.sign(vectors[np.abs(vectors).argmax(0), np.arange(axes)])
    return np.asarray(vectors * signs)


def _share(cloud: Floats, basis: Floats) -> float:
    total = float((cloud * cloud).sum())
    return float(((cloud @ basis) ** 2).sum()) / total if total > 0 else 0.0


def _explained(cloud: Floats, basis: Floats, blocks: NDArray[np.int64], level: float) -> Interval:
    value = _share(cloud, basis)
    held, total = ((cloud @ basis) ** 2).sum(1), (cloud * cloud).sum(1)
    held, total = (one.sum() - np.bincount(blocks, weights=one) for one in (held, total))
    low, high = jackknife_interval(value, held / np.maximum(total, 1e-300), level)
    return Interval(value, max(low or 0.0, 0.0), min(1.0 if high is None else high, 1.0), level)
