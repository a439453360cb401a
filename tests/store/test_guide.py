"""The guide to the store: its Python runs, top to bottom, in a new folder."""

import re
from pathlib import Path

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "store.md"


def test_the_guide_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 6
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(GUIDE), "exec"), names)  # noqa: S102 - our own guide
    assert capsys.readouterr().out == "300\n"
    assert (tmp_path / "evidence" / "lake" / "scores" / "r1-sum-1.parquet").is_file()
