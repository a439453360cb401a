"""Make expected.json: what devinterp says of a small regression network; see README.md."""

from __future__ import annotations

import json
import math
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from devinterp.optim.sgld import SGLD
from devinterp.slt.sampler import estimate_learning_coeff_with_summary
from torch.utils.data import DataLoader, TensorDataset

N, HIDDEN, CHAINS = 400, 3, 4
SETTINGS = {"step": 5e-4, "localization": 20.0, "draws": 1000, "burn_in": 300}


class Network(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.into = torch.nn.Linear(2, HIDDEN)
        self.out = torch.nn.Linear(HIDDEN, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(torch.tanh(self.into(x)))[:, 0]


def main() -> None:
    """Train the network to its minimum, sample with devinterp, write everything down."""
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 2)).astype(np.float32)
    y = (np.tanh(x[:, 0] - x[:, 1]) + 0.3 * rng.normal(size=N)).astype(np.float32)
    data = torch.from_numpy(x), torch.from_numpy(y)
    torch.manual_seed(0)
    network = Network()
    fit = torch.optim.LBFGS(network.parameters(), max_iter=3000, tolerance_grad=1e-8)

    def loss(model: torch.nn.Module, batch: list[torch.Tensor]) -> torch.Tensor:
        return 5 * ((model(batch[0]) - batch[1]) ** 2).mean()

    def closure() -> torch.Tensor:
        fit.zero_grad()
        value = loss(network, list(data))
        value.backward()
        return value

    fit.step(closure)
    loader = DataLoader(TensorDataset(*data), batch_size=N)
    nbeta = N / math.log(N)
    start = float(loss(network, list(data)))
    found = estimate_learning_coeff_with_summary(
        network,
        loader,
        evaluate=lambda model, batch: (loss(model, batch), {}),
        sampling_method=SGLD,
        optimizer_kwargs={"lr": SETTINGS["step"], "localization": SETTINGS["localization"], "nbeta": nbeta},
        num_draws=int(SETTINGS["draws"]),
        num_chains=CHAINS,
        num_burnin_steps=int(SETTINGS["burn_in"]),
        init_loss=start,
        seed=7,
        verbose=False,
    )
    values = np.array(found["loss/trace"]).mean(1)
    said = {
        "devinterp": sys.argv[1],
        "torch": torch.__version__,
        "settings": {**SETTINGS, "nbeta": nbeta},
        "start": start,
        "chains": [nbeta * (float(one) - start) for one in values],
        "mean": float(found["llc/mean"]),
        "x": x.round(6).tolist(),
        "y": y.round(6).tolist(),
        "weights": {name: value.tolist() for name, value in network.state_dict().items()},
    }
    Path(__file__).with_name("expected.json").write_text(json.dumps(said) + "\n")
    print(said["mean"], said["chains"], start)


main()
