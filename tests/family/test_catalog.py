import shutil

import pytest

from saltus.family import RECIPE, SIZES, checkpoints, finals, locate, path, series
from saltus.family.catalog import WEIGHTS, catalog, shipped
from saltus.records import InputError, UsageError


def test_the_shipped_weights_are_complete_and_small():
    assert all((WEIGHTS / part / "model.safetensors").is_file() for part in shipped())
    assert len(catalog()) == len(shipped())
    assert sum(file.stat().st_size for file in WEIGHTS.rglob("*") if file.is_file()) < 12e6


def test_nothing_unfinished_is_shipped():
    assert not list(WEIGHTS.rglob(".*"))


def test_finals_are_the_series_along_scale():
    series = finals()
    assert [record.params for record in series] == sorted(record.params for record in series)
    assert [(r.layers, r.width, r.heads, r.role) for r in series] == [
        (s.layers, s.width, s.heads, s.role) for s in SIZES
    ]
    assert {record.step for record in series} == {2000}
    assert [record.name for record in series if record.role == "control"] == ["tiro-1x48"]


def test_a_record_says_what_the_checkpoint_cost():
    (record,) = checkpoints("2x64", steps=[500])
    assert (record.id, record.family, record.seed) == ("tiro-2x64@step500", "tiro", 0)
    assert record.params == 108_288
    assert record.tokens == 500 * 26 * 64
    assert record.flops == 6 * record.params * record.tokens
    assert RECIPE.id in record.source


def test_all_steps_of_two_models_are_shipped():
    for size in ("2x64", "1x48"):
        assert tuple(record.step for record in checkpoints(size)) == RECIPE.checkpoints


def test_seeds_are_kept_apart():
    assert {record.seed for record in checkpoints("2x16", seed=None)} == {0, 1, 2}
    (second,) = checkpoints("2x16", seed=2)
    assert second.name == "tiro-2x16-seed2"


def test_path_finds_a_checkpoint():
    assert (path("tiro-2x64", 500) / "config.json").is_file()
    assert path("tiro-2x16-seed1").name == "step2000"


def test_series_is_everything_or_one_seed():
    assert series() == tuple(catalog())
    assert {record.seed for record in series(seed=0)} == {0}
    assert len({record.id for record in series()}) == len(series())


def test_locate_reads_ids():
    for record in series():
        assert str(locate(record.id)) == record.location
    assert locate("tiro-2x64") == path("tiro-2x64", 2000)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: locate("tiro-2x64@main"), '"main" is no revision of the family, write .* tiro-2x64@step500'),
        (lambda: path("tiro-9x9"), 'no model is called "tiro-9x9", there are tiro-1x16'),
        (lambda: path("tiro-2x64", 7), "tiro-2x64 has no checkpoint of step 7, there are 0, 32"),
        (lambda: checkpoints("2x65"), 'the family has no size "2x65", its sizes are 1x8'),
    ],
)
def test_wrong_names_are_answered_with_the_right_ones(call, says):
    with pytest.raises(UsageError, match=says):
        call()


def test_a_family_elsewhere_is_read_the_same_way(tmp_path):
    with pytest.raises(UsageError, match="saltus family train"):
        catalog(tmp_path)
    copy = tmp_path / "tiro-2x64" / "step500"
    shutil.copytree(path("tiro-2x64", 500), copy)
    (record,) = catalog(tmp_path)
    assert record.location == str(copy)
    assert path("tiro-2x64", root=tmp_path) == copy


def test_a_broken_record_is_named(tmp_path):
    directory = tmp_path / "tiro-2x64" / "step500"
    directory.mkdir(parents=True)
    (directory / "family.json").write_text('{"recipe": "x", "rec')
    with pytest.raises(InputError, match="cannot be read") as caught:
        catalog(tmp_path)
    assert caught.value.path == str(directory / "family.json")
