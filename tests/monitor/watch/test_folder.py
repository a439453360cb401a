"""Names of checkpoints: which folder is one, of which step and which training run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltus.monitor.watch.folder import discover, step_pattern
from saltus.records import UsageError


def steps(root: Path, **options: str) -> dict[str, int | None]:
    return {one.path.name: one.step for one in discover(root, **options)}


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("checkpoint-500", 500),
        ("checkpoint_500", 500),
        ("ckpt-500", 500),
        ("step500", 500),
        ("step_0000500", 500),
        ("global_step500", 500),
        ("iter_0000500", 500),
        ("tiro-2x64@step500", 500),
        ("pythia-70m-step500", 500),
        ("epoch=1-step=500", 500),
        ("step1000-tokens4B", 1000),
        ("my-step-3-checkpoint-500", 500),
    ],
)
def test_usual_names(tmp_path: Path, name: str, step: int) -> None:
    (tmp_path / name).mkdir()
    assert steps(tmp_path) == {name: step}


@pytest.mark.parametrize(
    "name", ["tmp-checkpoint-500", ".step500.part", "checkpoint-500.tmp", "runs", "logs"]
)
def test_temporary_and_other_folders_are_none(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "config.yaml").touch()
    assert steps(tmp_path) == {}


@given(st.integers(0, 10**12), st.sampled_from(["checkpoint-", "step", "global_step", "iter_", "a-b@step"]))
def test_a_step_is_read_as_it_is_written(step: int, stem: str) -> None:
    found = step_pattern(None).search(f"{stem}{step}")
    assert found is not None
    assert int(found.group("step")) == step


def test_the_trainers_own_step_counts_more_than_the_name(tmp_path: Path) -> None:
    for name, step in (("epoch-3", 1500), ("checkpoint-9", 9)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    assert steps(tmp_path) == {"checkpoint-9": 9, "epoch-3": 1500}


def test_an_epoch_is_no_step(tmp_path: Path) -> None:
    (tmp_path / "epoch-3").mkdir()
    (tmp_path / "epoch-3" / "config.json").write_text("{}")
    [one] = discover(tmp_path)
    assert one.step is None
    assert "an epoch is no step" in one.problem
    assert "--pattern" in one.problem


def test_a_pattern_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "v7_k30").mkdir()
    assert steps(tmp_path, pattern=r"_k(?P<step>\d+)") == {"v7_k30": 30}
    for wrong in ("(", r"_k(\d+)"):
        with pytest.raises(UsageError, match="--pattern"):
            discover(tmp_path, pattern=wrong)


def test_a_pattern_that_finds_no_number_says_so(tmp_path: Path) -> None:
    (tmp_path / "ck-last").mkdir()
    [one] = discover(tmp_path, pattern=r"ck-(?P<step>\w+)")
    assert (one.step, "--pattern" in one.problem) == (None, True)


def test_series_are_named_by_their_folders(tmp_path: Path) -> None:
    root = tmp_path / "out"
    for name in ("checkpoint-1", "small/checkpoint-2", "large/step_3", "tiro@step4", "deep/er/step5"):
        (root / name).mkdir(parents=True)
    found = {(one.series, one.step) for one in discover(root)}
    assert found == {("out", 1), ("small", 2), ("large", 3), ("tiro", 4)}
    assert {one.series for one in discover(root, name="v2")} == {"v2", "v2/small", "v2/large"}


def test_a_link_to_a_checkpoint_is_no_second_one(tmp_path: Path) -> None:
    (tmp_path / "step5").mkdir()
    (tmp_path / "a-step-9").symlink_to(tmp_path / "step5")
    assert steps(tmp_path) == {"step5": 5}


def test_a_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert discover(tmp_path / "nowhere") == []
