"""Many processes at once, and processes that die: real ones, killed for real."""

import os
import signal
import threading
import time

import saltus
from saltus.records import Score

WRITE_FOREVER = """
import sys, saltus
from saltus.records import Score
store = saltus.open(sys.argv[1])
say = dict(run="dead", model="m", task="t", metric="x")
rows = [Score(sample=str(n), value=n * 0.37, **say) for n in range(131072)]
with store.writer("scores", part="never") as writer:
    while True:
        writer.write(rows)
        print("wrote", flush=True)
"""

APPEND_PARTS = """
import sys, saltus
from saltus.records import Score
store = saltus.open(sys.argv[1])
added = 0
for number in range(15):
    say = dict(run=sys.argv[2], model="m", task="t", metric="x")
    rows = [Score(sample=str(n), value=1.0, **say) for n in range(50)]
    added += store.append("scores", rows)
    added += store.append("scores", rows, part=f"shared-{number}")
print(added)
"""

HOLD_LOCK = """
import sys, time, saltus
with saltus.open(sys.argv[1]).exclusive():
    print("held", flush=True)
    time.sleep(600)
"""

CHECK_THEN_APPEND = """
import sys, saltus
from saltus.records import RunRecord
store = saltus.open(sys.argv[1])
for number in range(8):
    with store.exclusive():
        if f"run{number}" not in store.runs()["id"].to_pylist():
            record = RunRecord(id=f"run{number}", kind="import", source=sys.argv[2], format="csv")
            store.append("runs", [record])
"""

FORK = """
import os, sys, warnings, saltus
from saltus.records import Aggregate
warnings.simplefilter("ignore")  # Python 3.12 warns of any fork beside threads
store = saltus.open(sys.argv[1])
row = Aggregate(run="r", model="m", task="parent", metric="acc", value=0.5)
store.append("aggregates", [row])
store.points(), store.cache.put_many({"k": b"v"})
child = os.fork()
if child == 0:
    store.append("aggregates", [Aggregate(run="r", model="m", task="child", metric="acc", value=0.5)])
    good = store.points().num_rows == 2 and store.cache.get_many(["k"]) == {"k": b"v"}
    os._exit(0 if good else 1)
assert os.waitpid(child, 0)[1] == 0
assert store.points().num_rows == 2
"""


def test_kill_9_in_mid_write_leaves_only_whole_parts(store, make_scores, start):
    store.append("scores", make_scores(10, run="before"), part="before")
    process = start(WRITE_FOREVER, store.path)
    for _ in range(3):
        assert process.stdout.readline() == "wrote\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    folder = store.path / "lake" / "scores"
    (leftover,) = folder.glob(".tmp-*")
    assert leftover.stat().st_size > 0
    assert not store.has_part("scores", "never")
    assert store.scores().arrow()["run"].unique().to_pylist() == ["before"]
    os.utime(leftover, (time.time() - 3600,) * 2)
    with saltus.open(store.path) as again:
        assert [path.name for path in folder.iterdir()] == ["before.parquet"]
        assert again.append("scores", make_scores(5), part="never") == 5


def test_many_writers_and_a_reader_at_once(store, start):
    writers = [start(APPEND_PARTS, store.path, f"w{number}") for number in range(3)]
    seen = [0]
    while any(writer.poll() is None for writer in writers):
        found = store.sql("SELECT count(*) AS n FROM scores")["n"][0].as_py()
        assert found % 50 == 0  # never half a part
        assert found >= seen[-1]
        seen.append(found)
    added = [int(writer.communicate()[0]) for writer in writers]
    assert sum(added) == 3 * 15 * 50 + 15 * 50  # each shared part was added by one of them
    assert store.scores().arrow().num_rows == sum(added)


def test_looking_and_appending_under_the_lock_adds_once(store, start):
    importers = [start(CHECK_THEN_APPEND, store.path, f"i{number}") for number in range(3)]
    for importer in importers:
        _, errors = importer.communicate(timeout=60)
        assert importer.returncode == 0, errors
    assert store.sql("SELECT count(*) AS n, count(DISTINCT id) AS ids FROM runs_all").to_pylist() == [
        {"n": 8, "ids": 8}
    ]


def test_a_dead_holder_frees_the_lock(store, start):
    process = start(HOLD_LOCK, store.path)
    assert process.stdout.readline() == "held\n"
    taken = threading.Event()

    def take() -> None:
        with store.exclusive(), store.exclusive():  # its thread may take it again
            taken.set()

    waiter = threading.Thread(target=take)
    waiter.start()
    assert not taken.wait(0.3)
    process.send_signal(signal.SIGKILL)
    assert taken.wait(30)
    waiter.join()


def test_threads_share_a_store(store):
    def work(number: int) -> None:
        for _ in range(3):
            store.append(
                "scores", [Score(run="r", model=f"m{number}", task="t", sample="s", metric="x", value=1)]
            )
            counts.append(store.points(model=f"m{number}").num_rows)

    counts: list[int] = []
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [1] * 12


def test_a_forked_process_may_go_on_with_the_store(store, start):
    process = start(FORK, store.path)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
