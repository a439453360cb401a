"""P-values beside those of the prototype that the detector was designed from, on the same series."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from saltus.stats import Bootstrap, CurveFit, Noise, refine, shape_grid

U = np.linspace(7.85, 10.07, 8)


@pytest.fixture(scope="module")
def prototype(shared: Path) -> ModuleType:
    path = shared / "reference" / "detector_prototype.py"
    if not path.exists():
        pytest.skip("the prototype is not here")
    spec = importlib.util.spec_from_file_location("prototype", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def series(rng: np.random.Generator, i: int) -> np.ndarray:
    share = (U - U[0]) / (U[-1] - U[0])
    mean = [
        np.full(8, 0.4),
        0.3 + 0.3 * share,
        0.25 + 0.4 * (1 - 10 ** (-share)),
        np.where(share > 0.5, 0.45, 0.25),
        0.25 + 0.4 / (1 + np.exp(-(share - 0.6) * 8)),
    ][i % 5]
    return rng.binomial(1000, mean) / 1000


def test_p_values_agree_with_the_prototype(prototype: ModuleType) -> None:
    rng = np.random.default_rng(0)
    grid, shapes = shape_grid(U), prototype.Shapes(U)
    ours, theirs = [], []
    for i in range(40):
        y = series(rng, i)
        fit = CurveFit(grid, y, Noise(np.full(8, 1000.0), None, 0.01))
        found = Bootstrap(fit, dispersion=min(fit.dispersion, refine(fit).fit.dispersion))
        ours.append(
            [found.test(t, np.random.default_rng(i)).p for t in ("trend", "acceleration", "sharpness")]
        )
        out = prototype.detect(U, y, 1000, 0.25, B=400, S=shapes, draws=10, seed=i)
        theirs.append([out["p_trend"], out["p_accel"], out["p_sharp"]])
    a, b = np.array(ours), np.array(theirs)
    for test, one, other in zip(("trend", "acceleration", "sharpness"), a.T, b.T, strict=True):
        alike = np.mean((one <= 0.05) == (other <= 0.05))
        print(test, "same decision", alike, "median ratio", np.median(one / other))
        assert alike >= 0.9
    clear = b < 0.5  # a p of 1 means here that the null fits as well
    assert np.corrcoef(np.log(np.maximum(a, 1e-3))[clear], np.log(b)[clear])[0, 1] > 0.85
