"""Arrays in, frozen results out: curve fits, intervals, error bars, multiplicity. NumPy and SciPy only."""

from saltus.stats.agreement import cohen_kappa, krippendorff_alpha
from saltus.stats.alpha import AlphaInterval, alpha_interval
from saltus.stats.bootstrap import Bootstrap, Test, TestResult, bootstrap_p
from saltus.stats.components import Components, principal_components
from saltus.stats.correlation import ItemScores, error_correlation
from saltus.stats.curves import CurveFit, best_of_class, steady_lag
from saltus.stats.design import StratifiedMean, Stratum, stratified_mean
from saltus.stats.ensemble import MEMBERS, SIGMOIDAL, CurveEnsemble
from saltus.stats.errorbars import (
    MeanEstimate,
    PairedDifference,
    VarianceParts,
    clustered_mean,
    minimum_detectable_effect,
    paired_difference,
    samples_needed,
    variance_parts,
)
from saltus.stats.intervals import clopper_pearson, resolution, resolution_at, samples_for_halfwidth
from saltus.stats.length_control import WinRate, length_controlled_win_rate
from saltus.stats.links import LINKS, LinkFit, chance_band, fit_link
from saltus.stats.mixture import Mixture, bounded_mixture, countable, pool
from saltus.stats.multiplicity import benjamini_hochberg, holm
from saltus.stats.noise import Noise, design_effect, effective_n, estimate_step_tau, estimate_tau
from saltus.stats.observational import Observational
from saltus.stats.passk import pass_at_k
from saltus.stats.posterior import Draws, draw_curves
from saltus.stats.ppi import PPIMean, ppi_mean
from saltus.stats.refine import RefinedFit, refine
from saltus.stats.robustness import Estimate, Excess, Flips, excess_flips, flips, share
from saltus.stats.shapes import FINE_EXPONENTS, SIGMOIDS, ShapeGrid, shape_grid
from saltus.stats.worst import Worst, worst_group, worst_variant

__all__ = [
    "FINE_EXPONENTS",
    "LINKS",
    "MEMBERS",
    "SIGMOIDAL",
    "SIGMOIDS",
    "AlphaInterval",
    "Bootstrap",
    "Components",
    "CurveEnsemble",
    "CurveFit",
    "Draws",
    "Estimate",
    "Excess",
    "Flips",
    "ItemScores",
    "LinkFit",
    "MeanEstimate",
    "Mixture",
    "Noise",
    "Observational",
    "PPIMean",
    "PairedDifference",
    "RefinedFit",
    "ShapeGrid",
    "StratifiedMean",
    "Stratum",
    "Test",
    "TestResult",
    "VarianceParts",
    "WinRate",
    "Worst",
    "alpha_interval",
    "benjamini_hochberg",
    "best_of_class",
    "bootstrap_p",
    "bounded_mixture",
    "chance_band",
    "clopper_pearson",
    "clustered_mean",
    "cohen_kappa",
    "countable",
    "design_effect",
    "draw_curves",
    "effective_n",
    "error_correlation",
    "estimate_step_tau",
    "estimate_tau",
    "excess_flips",
    "fit_link",
    "flips",
    "holm",
    "krippendorff_alpha",
    "length_controlled_win_rate",
    "minimum_detectable_effect",
    "paired_difference",
    "pass_at_k",
    "pool",
    "ppi_mean",
    "principal_components",
    "refine",
    "resolution",
    "resolution_at",
    "samples_for_halfwidth",
    "samples_needed",
    "shape_grid",
    "share",
    "steady_lag",
    "stratified_mean",
    "variance_parts",
    "worst_group",
    "worst_variant",
]
