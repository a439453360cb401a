"""Error bars against hand calculation, statsmodels' figures and brute force."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as reference

from saltus.stats import (
    clustered_mean,
    holm,
    minimum_detectable_effect,
    paired_difference,
    samples_needed,
    variance_parts,
)

# fmt: off
Y = [0.625, 0.897, 0.776, 0.225, 0.3, 0.874, 0.005, 0.821, 0.797, 0.468, 0.303, 0.278, 0.255, 0.445, 0.505,
     0.553, 0.996, 0.793, 0.622, 0.989, 0.215, 0.16, 0.613, 0.044]
# fmt: on
_scores = st.lists(st.floats(-10, 10).map(lambda x: round(x, 3)), min_size=2, max_size=40)


def test_equal_clusters_as_statsmodels_has_them():
    """statsmodels 0.15: OLS(y, 1).fit(cov_type="cluster", groups of 4, use_t=True)."""
    found = clustered_mean(Y, np.repeat(np.arange(6), 4))
    assert found.stderr == pytest.approx(0.0816592619942432, rel=1e-12)
    assert (found.low, found.high) == pytest.approx((0.31337985, 0.73320348), abs=1e-8)
    assert (found.n, found.clusters, found.df) == (24, 6, pytest.approx(5))


def test_unequal_clusters_by_brute_force():
    """CR2 and its degrees of freedom from the matrices of Bell and McCaffrey (2002)."""
    sizes = [10, 6, 4, 3, 1]
    labels = np.repeat(np.arange(5), sizes)
    n, e = 24, np.asarray(Y) - np.mean(Y)
    hat = np.full((n, n), 1 / n)
    variance, rows = 0.0, []
    for cluster in range(5):
        mine = labels == cluster
        block = np.eye(mine.sum()) - hat[np.ix_(mine, mine)]
        values, vectors = np.linalg.eigh(block)
        adjust = vectors @ np.diag(values**-0.5) @ vectors.T
        variance += (np.ones(mine.sum()) @ adjust @ e[mine]) ** 2 / n**2
        rows.append((np.eye(n) - hat)[:, mine] @ adjust @ np.ones(mine.sum()) / n)
    gram = np.array([[a @ b for a in rows] for b in rows])
    found = clustered_mean(Y, labels)
    assert found.stderr == pytest.approx(math.sqrt(variance), rel=1e-10)
    assert found.df == pytest.approx(np.trace(gram) ** 2 / (gram**2).sum(), rel=1e-10)
    assert found.stderr > 0.08366380369329539  # statsmodels' CR1, which is biased downwards here


@given(_scores)
def test_alone_it_is_the_ordinary_standard_error(values):
    found = clustered_mean(values)
    assert found.stderr == pytest.approx(np.std(values, ddof=1) / math.sqrt(len(values)), rel=1e-9, abs=1e-12)
    assert found.df == pytest.approx(len(values) - 1)
    assert found.mean == pytest.approx(np.mean(values), rel=1e-9, abs=1e-12)


@given(_scores, st.integers(0, 2**32 - 1))
def test_order_and_names_of_clusters_do_not_matter(values, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, len(values))
    order = rng.permutation(len(values))
    one = clustered_mean(values, labels)
    other = clustered_mean(np.asarray(values)[order], [f"c{9 - label}" for label in labels[order]])
    assert one.clusters == other.clusters
    for name in ("mean", "stderr", "low", "high", "df"):
        a, b = getattr(one, name), getattr(other, name)
        assert (a is None) == (b is None)
        assert a is None or a == pytest.approx(b, rel=1e-7, abs=1e-9)


def test_miller_s_formula_but_for_the_small_sample_factor():
    """Of equal clusters: SE_CLT^2 plus the cross terms over n^2 (arXiv:2411.00640), times G / (G - 1)."""
    y, labels = np.asarray(Y), np.repeat(np.arange(6), 4)
    e, n = y - y.mean(), len(Y)
    cross = sum(e[i] * e[j] for i in range(n) for j in range(n) if i != j and labels[i] == labels[j])
    miller = math.sqrt((e**2).mean() / n + cross / n**2)
    assert clustered_mean(Y, labels).stderr == pytest.approx(miller * math.sqrt(6 / 5), rel=1e-12)


def test_one_cluster_tells_no_error():
    found = clustered_mean([1, 0, 1], ["a", "a", "a"])
    assert (found.mean, found.stderr, found.low, found.df) == (pytest.approx(2 / 3), None, None, None)
    with pytest.raises(ValueError, match="no scores"):
        clustered_mean([])
    with pytest.raises(ValueError, match="one cluster a score"):
        clustered_mean([1, 2], ["a"])


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=3, max_size=30))
def test_paired_is_the_paired_t_test(pairs):
    a, b = (np.round([pair[side] for pair in pairs], 2) for side in (0, 1))
    found = paired_difference(a, b)
    assert found.wins + found.losses + found.ties == len(pairs)
    if found.test == "t":
        assert found.p == pytest.approx(reference.ttest_rel(b, a).pvalue, rel=1e-6)
        assert found.low <= found.difference <= found.high


def test_full_marks_or_none_is_mcnemars_test():
    """statsmodels 0.15: mcnemar([[10, 3], [9, 20]], exact=True)."""
    a = [1] * 10 + [1] * 3 + [0] * 9 + [0] * 20
    b = [1] * 10 + [0] * 3 + [1] * 9 + [0] * 20
    found = paired_difference(a, b)
    assert (found.test, found.wins, found.losses, found.ties) == ("mcnemar", 9, 3, 30)
    assert found.p == pytest.approx(0.14599609375)
    assert found.p == pytest.approx(reference.binomtest(3, 12).pvalue)


def test_clusters_make_a_difference_less_sure():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 10)
    a = np.zeros(100)
    b = rng.normal(0.3, 1, 10)[labels] + rng.normal(0, 0.1, 100)
    alone, together = paired_difference(a, b), paired_difference(a, b, labels)
    assert together.stderr > 2.5 * alone.stderr
    assert together.p > alone.p


def test_differences_that_do_not_vary_have_no_interval():
    same = paired_difference([1, 0, 1], [1, 0, 1])
    assert (same.difference, same.p, same.test, same.low) == (0, 1.0, "none", None)
    shifted = paired_difference([1.0, 2.0, 3.0, 4.0], [1.5, 2.5, 3.5, 4.5], ["a", "a", "b", "c"])
    assert (shifted.difference, shifted.stderr, shifted.low, shifted.test) == (0.5, 0.0, None, "sign")
    assert shifted.p == pytest.approx(2 * 0.5**3)
    lone = paired_difference([0.0, 0.0], [1.0, 2.0], ["a", "a"])
    assert (lone.p, lone.test, lone.stderr) == (None, "none", None)
    with pytest.raises(ValueError, match="equally many"):
        paired_difference([1], [1, 2])


def test_variance_parts_are_unbiased():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(300):
        items = np.repeat(np.arange(30), rng.integers(2, 6, 30))
        values = rng.normal(0, 2, 30)[items] + rng.normal(0, 3, items.size)
        found.append(variance_parts(values, items))
    assert np.mean([parts.between for parts in found]) == pytest.approx(4, rel=0.06)
    assert np.mean([parts.within for parts in found]) == pytest.approx(9, rel=0.03)


def test_variance_parts_give_the_error_of_the_mean():
    """With the epochs that there are it is the error of the samples' means; more epochs shrink `within`."""
    rng = np.random.default_rng(2)
    items = np.repeat(np.arange(50), 4)
    values = rng.normal(0, 1, 50)[items] + rng.normal(0, 1, 200)
    parts = variance_parts(values, items)
    means = values.reshape(50, 4).mean(axis=1)
    assert parts.stderr(50, 4) == pytest.approx(means.std(ddof=1) / math.sqrt(50))
    assert parts.stderr(50, 10**9) == pytest.approx(math.sqrt(parts.between / 50))
    with pytest.raises(ValueError, match="repeated"):
        variance_parts([1, 2, 3], ["a", "b", "c"])


def test_power_is_the_textbooks():
    assert samples_needed(1.0, 0.5) == 32  # (1.96 + 0.8416)^2 / 0.25 = 31.4
    assert samples_needed(1.0, 0.5, power=0.9) == 43
    assert samples_needed(1.0, 0) is None
    for n in (50, 1000):
        effect = minimum_detectable_effect(0.4, n)
        assert samples_needed(0.4, effect * (1 - 1e-9)) - n in (0, 1)


def test_holm_as_statsmodels_has_it():
    assert holm([0.01, 0.04, 0.03, 0.005, 0.2]) == pytest.approx([0.04, 0.09, 0.09, 0.025, 0.2])
    with pytest.raises(ValueError, match="p-values"):
        holm([1.5])


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_keeps_the_order_and_never_helps(p):
    adjusted = holm(p)
    assert (adjusted >= np.asarray(p) - 1e-15).all()
    assert (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()
