"""Arrays in, frozen results out: curve fits, intervals, multiplicity. NumPy and SciPy only."""

from saltus.stats.bootstrap import Test, TestResult, bootstrap_p
from saltus.stats.curves import CurveFit, best_of_class, steady_lag
from saltus.stats.intervals import clopper_pearson, resolution, samples_for_halfwidth
from saltus.stats.links import LINKS, LinkFit, chance_band, fit_link
from saltus.stats.multiplicity import benjamini_hochberg
from saltus.stats.noise import Noise, effective_n, estimate_tau
from saltus.stats.posterior import Draws, draw_curves
from saltus.stats.refine import RefinedFit, refine
from saltus.stats.shapes import FINE_EXPONENTS, SIGMOIDS, ShapeGrid, shape_grid

__all__ = [
    "FINE_EXPONENTS",
    "LINKS",
    "SIGMOIDS",
    "CurveFit",
    "Draws",
    "LinkFit",
    "Noise",
    "RefinedFit",
    "ShapeGrid",
    "Test",
    "TestResult",
    "benjamini_hochberg",
    "best_of_class",
    "bootstrap_p",
    "chance_band",
    "clopper_pearson",
    "draw_curves",
    "effective_n",
    "estimate_tau",
    "fit_link",
    "refine",
    "resolution",
    "samples_for_halfwidth",
    "shape_grid",
    "steady_lag",
]
