import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from saltus.family import RECIPE, Recipe, path, series, train_family
from saltus.family.catalog import catalog, find_size
from saltus.family.worker import STATE_FILE, Job, _Training, missing_steps, train_model
from saltus.records import ModelError, UsageError

pytest.importorskip("torch")
pytest.importorskip("transformers")

TINY = Recipe(steps=60, checkpoints=(0, 20, 40, 60))


def content(root: Path) -> dict[str, bytes]:
    return {str(f.relative_to(root)): f.read_bytes() for f in sorted(root.rglob("*")) if f.is_file()}


def job(root: Path, size: str = "2x16", recipe: Recipe = TINY) -> Job:
    return Job(str(root), find_size(size), 0, recipe)


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """A training that nothing disturbed."""
    root = tmp_path_factory.mktemp("straight")
    train_model(job(root))
    return root


def test_checkpoints_are_whole_and_nothing_else_is_left(straight):
    assert {name.split("/")[-1] for name in content(straight)} == {
        "config.json",
        "family.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert [record.step for record in catalog(straight)] == [0, 20, 40, 60]


def test_killed_and_resumed_gives_the_same_bytes(straight, tmp_path):
    command = [sys.executable, "-m", "saltus.family.worker", msgspec.json.encode(job(tmp_path)).decode()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if int(line) >= 25:
                process.kill()
                break
    home = tmp_path / "tiro-2x16"
    assert (home / STATE_FILE).is_file()
    assert not (home / "step60").exists()
    (home / ".step60.part").mkdir()  # as a kill in mid-write leaves it
    (home / ".step60.part" / "model.safetensors").write_bytes(b"half")
    assert {record.step for record in catalog(tmp_path)} <= {0, 20, 40}
    reached = []
    train_model(job(tmp_path), reached.append)
    assert reached[0] >= 25  # it went on; a fresh start reports step 0
    assert content(tmp_path) == content(straight)


def test_an_unreadable_state_costs_a_fresh_start(straight, tmp_path):
    home = tmp_path / "tiro-2x16"
    home.mkdir()
    (home / STATE_FILE).write_bytes(b"not a state")
    reached = []
    train_model(job(tmp_path), reached.append)
    assert reached[0] == 0
    assert content(tmp_path) == content(straight)


def test_a_state_without_its_checkpoints_costs_a_fresh_start(straight, tmp_path):
    train_model(job(tmp_path, recipe=TINY))
    home = tmp_path / "tiro-2x16"
    training = _Training(job(tmp_path))
    training.step = 40
    training.save(home / STATE_FILE)
    (home / "step20").rename(tmp_path / "lost")
    reached = []
    train_model(job(tmp_path), reached.append)
    assert reached[0] == 0
    assert content(home) == content(straight / "tiro-2x16")


def test_a_finished_checkpoint_is_never_written_again(straight, tmp_path):
    train_model(job(tmp_path))
    kept = tmp_path / "tiro-2x16" / "step20" / "model.safetensors"
    before = kept.stat()
    (tmp_path / "tiro-2x16" / "step60").rename(tmp_path / "gone")
    train_model(job(tmp_path))
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert content(tmp_path / "tiro-2x16" / "step60") == content(straight / "tiro-2x16" / "step60")


def test_the_family_is_trained_in_workers_and_gets_a_card(tmp_path, straight):
    seen = []
    made = train_family(
        tmp_path,
        sizes=["2x16", "1x8"],
        recipe=TINY,
        progress=lambda model, step, steps: seen.append((model, step, steps)),
    )
    assert tuple(made) == series(tmp_path)
    assert [record.id for record in made[3:5]] == ["tiro-1x8@step60", "tiro-2x16@step0"]
    assert {("tiro-2x16", 0, 60), ("tiro-2x16", 60, 60), ("tiro-1x8", 60, 60)} <= set(seen)
    assert content(tmp_path / "tiro-2x16") == content(straight / "tiro-2x16")
    card = (tmp_path / "README.md").read_text()
    assert card.startswith("---\nlicense: apache-2.0\n")
    assert TINY.id in card
    assert "| tiro-1x8 | 60 | 1,912 |" in card


def test_another_recipe_is_refused_before_anything_is_trained(straight):
    before = content(straight)
    with pytest.raises(UsageError, match=f"is of recipe {TINY.id}"):
        train_family(straight, sizes=["1x8", "2x16"])
    assert content(straight) == before


def test_a_failing_worker_is_named_with_its_reason(tmp_path):
    (tmp_path / "tiro-1x8").write_text("in the way")
    with pytest.raises(ModelError, match=r"training tiro-1x8 ended with code 1 \(FileExistsError"):
        train_family(tmp_path, sizes=["1x8"], recipe=TINY)


def test_a_progress_that_fails_ends_the_training(tmp_path):
    def stop(model, step, steps):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_family(tmp_path, sizes=["1x8"], recipe=Recipe(checkpoints=(0, 2000)), progress=stop)
    assert not (tmp_path / "tiro-1x8" / "step2000").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sizes": ["4x4"]}, 'no size "4x4"'),
        ({"seeds": [-1]}, "seed -1 is negative"),
        ({"workers": 0}, "workers is 0"),
    ],
)
def test_wrong_options_are_refused(tmp_path, options, says):
    with pytest.raises(UsageError, match=says):
        train_family(tmp_path, **options)


def test_a_file_where_the_directory_should_be(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match="cannot be written here"):
        train_family(tmp_path / "out", sizes=["1x8"])


def test_the_shipped_family_is_of_the_present_recipe():
    shipped = job(path("tiro-2x64").parent.parent, size="2x64", recipe=RECIPE)
    assert missing_steps(shipped) == []
    with pytest.raises(UsageError, match=f"not {TINY.id}"):
        missing_steps(msgspec.structs.replace(shipped, recipe=TINY))
