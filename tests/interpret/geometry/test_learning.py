"""Local learning coefficients that are known, one that devinterp gives, and estimates not to be believed."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from saltus.interpret.geometry import (  # noqa: E402
    Langevin,
    local_learning_coefficient,
    model_learning_coefficient,
    text_losses,
)
from saltus.records.errors import ModelError, UsageError  # noqa: E402

GOLDEN = Path(__file__).parents[2] / "golden" / "interpret" / "devinterp" / "expected.json"


class Weights(torch.nn.Module):
    """Some numbers."""

    def __init__(self, start) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.as_tensor(start, dtype=torch.float32))


class Small(torch.nn.Module):
    """Two inputs, three hidden units, one output."""

    def __init__(self) -> None:
        super().__init__()
        self.into = torch.nn.Linear(2, 3)
        self.out = torch.nn.Linear(3, 1)

    def forward(self, x):
        return self.out(torch.tanh(self.into(x)))[:, 0]


def error_of(found) -> float:
    return float(np.std(found.chains, ddof=1)) / math.sqrt(len(found.chains))


def test_a_regular_model_has_half_its_weights() -> None:
    """Linear regression: the mean over the localised posterior, with the step's bias, is known exactly."""
    torch.manual_seed(0)
    n, width, step, pull = 500, 6, 2e-3, 5.0
    x = torch.randn(n, width)
    y = x @ torch.randn(width) + torch.randn(n)
    best = torch.linalg.lstsq(x, y[:, None]).solution[:, 0]
    how = Langevin(step=step, localization=pull, chains=4, draws=400, burn_in=100, batch=n)

    def losses(net, rows):
        return (x[rows] @ net.w - y[rows]) ** 2 / 2

    found = local_learning_coefficient(Weights(best), losses, n, how)
    nbeta = n / math.log(n)
    curves = nbeta * torch.linalg.eigvalsh(x.T @ x / n).double().numpy()
    wanted = 0.5 * (curves / (curves + pull) / (1 - step * (curves + pull) / 4)).sum()
    assert abs(wanted - width / 2) < 0.3
    assert found.nbeta == pytest.approx(nbeta)
    assert abs(found.value - wanted) < 3.5 * error_of(found) + 0.02
    assert "below_start" not in found.flags


@pytest.mark.parametrize("kind", ["product", "fourth"])
def test_a_singular_model_has_less(kind: str) -> None:
    """(w1 w2)^2 / 2 and w^4, their means over the localised posterior by quadrature."""
    nbeta, pull = 500.0, 20.0
    line = np.linspace(-1.5, 1.5, 1501)
    if kind == "product":
        loss = 0.5 * np.outer(line, line) ** 2
        odds = np.exp(-nbeta * loss - pull * (line[:, None] ** 2 + line**2) / 2)
    else:
        loss = line**4
        odds = np.exp(-nbeta * loss - pull * line**2 / 2)
    wanted = float(nbeta * (loss * odds).sum() / odds.sum())

    def losses(net, rows):
        value = (net.w[0] * net.w[1]) ** 2 / 2 if kind == "product" else net.w[0] ** 4
        return value.expand(len(rows))

    how = Langevin(step=2e-3, localization=pull, chains=4, draws=700, burn_in=100, batch=1, nbeta=nbeta)
    found = local_learning_coefficient(Weights([0.0] * (2 if kind == "product" else 1)), losses, 500, how)
    assert abs(found.value - wanted) < 3.5 * error_of(found) + 0.01
    assert found.value < 0.3  # a regular model would have 1, or one half


def test_a_direction_that_does_nothing_does_not_count() -> None:
    def losses(net, rows):
        return (net.w[0] ** 2 / 2).expand(len(rows))

    how = Langevin(step=5e-3, localization=1.0, chains=4, draws=300, burn_in=50, batch=1, nbeta=100.0)
    found = local_learning_coefficient(Weights([0.0] * 10), losses, 100, how)
    assert abs(found.value - 0.5 * (100 / 101) / (1 - 5e-3 * 101 / 4)) < 3.5 * error_of(found) + 0.02


def test_devinterp_says_the_same() -> None:
    golden = json.loads(GOLDEN.read_text())
    x, y = (torch.tensor(golden[name], dtype=torch.float32) for name in "xy")
    network = Small()
    network.load_state_dict({name: torch.tensor(value) for name, value in golden["weights"].items()})
    told = golden["settings"]
    how = Langevin(
        step=told["step"],
        localization=told["localization"],
        nbeta=told["nbeta"],
        draws=told["draws"] // 2,
        burn_in=told["burn_in"],
        chains=3,
        batch=len(x),
    )
    found = local_learning_coefficient(
        network, lambda net, rows: 5 * (net(x[rows]) - y[rows]) ** 2, len(x), how
    )
    assert found.start == pytest.approx(golden["start"], rel=1e-4)
    theirs = golden["chains"]
    error = math.hypot(error_of(found), float(np.std(theirs, ddof=1)) / math.sqrt(len(theirs)))
    assert abs(found.value - golden["mean"]) < 3.5 * error
    assert error < 0.2 * found.value


def test_a_start_that_is_no_minimum_is_flagged() -> None:
    def losses(net, rows):
        return ((net.w - 1) ** 2 / 2).sum().expand(len(rows))

    how = Langevin(step=1e-3, localization=1.0, chains=3, draws=100, burn_in=0, batch=1, nbeta=100.0)
    found = local_learning_coefficient(Weights([0.0, 0.0]), losses, 100, how)
    assert found.value < 0
    assert "below_start" in found.flags
    alone = local_learning_coefficient(
        Weights([1.0, 1.0]), losses, 100, Langevin(chains=1, draws=20, burn_in=0, step=1e-3)
    )
    assert alone.low is None
    assert "no_interval" in alone.flags


def test_chains_that_run_away_are_an_error() -> None:
    def losses(net, rows):
        return (net.w**4).sum().expand(len(rows))

    with pytest.raises(ModelError, match="smaller step"):
        local_learning_coefficient(Weights([2.0]), losses, 100, Langevin(step=10.0))
    with pytest.raises(UsageError, match="a chain"):
        local_learning_coefficient(Weights([1.0]), losses, 100, Langevin(chains=0))


def test_a_network_is_left_alone_and_seeds_repeat(model, recall) -> None:
    how = Langevin(chains=2, draws=4, burn_in=2, batch=16)
    before = copy.deepcopy(model.copied_network().state_dict())
    state = torch.random.get_rng_state()
    first, second = (model_learning_coefficient(model, recall, how, seed=3) for _ in range(2))
    assert first.chains == second.chains
    assert torch.equal(state, torch.random.get_rng_state())
    after = model.copied_network().state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    text = text_losses(recall.tokens[:8])(model.copied_network(), torch.arange(8))
    assert text.shape == (8,)
    assert (text > 0).all()
