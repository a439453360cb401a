"""Plans simulated, shortest ways searched, knights tried out one by one."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from itertools import pairwise, permutations, product

from saltus.records import Sample

Built = Callable[[str], dict[str, tuple[Sample, ...]]]


def test_swaps(built: Built) -> None:
    for sample in built("planning")["swaps"]:
        held = dict(re.findall(r"(\w+) has the (\w+)\.", sample.input))
        swaps = re.findall(r"(\w+) and (\w+) swap", sample.input)
        assert len(swaps) == int(sample.slices["steps"])
        for a, b in swaps:
            held[a], held[b] = held[b], held[a]
        assert sample.target.strip() == held[re.search(r"What does (\w+) have", sample.input)[1]]  # type: ignore[index]


def test_paths(built: Built) -> None:
    for sample in built("planning")["paths"]:
        listed = sample.input.partition("One-way roads: ")[2].partition(".")[0]
        roads = {(road[0], road[2]) for road in listed.split(", ")}
        start, goal = re.search(r"from ([A-Z]) to ([A-Z])\?", sample.input).groups()  # type: ignore[union-attr]
        towns = sorted({town for road in roads for town in road} - {start, goal})
        legs = int(sample.slices["steps"])
        ways = []
        for length in range(1, legs + 1):
            for between in (
                permutations(towns, length - 1) if length <= 3 else walks(roads, start, goal, length)
            ):
                way = [start, *between, goal]
                if all((a, b) in roads for a, b in pairwise(way)):
                    ways.append("-".join(way))
        assert ways == [sample.target.strip()]


def walks(roads: set[tuple[str, str]], start: str, goal: str, length: int) -> list[list[str]]:
    """All walks of a length, without their ends."""
    found = [[start]]
    for _ in range(length - 1):
        found = [[*walk, b] for walk in found for a, b in roads if a == walk[-1]]
    return [walk[1:] for walk in found if (walk[-1], goal) in roads]


def test_hanoi(built: Built) -> None:
    for sample in built("planning")["hanoi"]:
        line = re.search(r"top to bottom: (.*)\.\n", sample.input)[1]  # type: ignore[index]
        pegs = {
            part[0]: [int(disc) for disc in re.findall(r"\d", part.partition(":")[2])]
            for part in line.split("; ")
        }
        discs = int(sample.slices["discs"])
        assert sorted(disc for peg in pegs.values() for disc in peg) == list(range(1, discs + 1))
        assert all(peg == sorted(peg) for peg in pegs.values())
        goal = re.search(r"to peg ([A-Z])\?", sample.input)[1]  # type: ignore[index]
        start = {peg: tuple(stack) for peg, stack in pegs.items()}
        moves = [move.split(">") for move in sample.target.strip().split(", ")]
        for source, target in moves:
            disc = pegs[source].pop(0)
            assert not pegs[target] or pegs[target][0] > disc
            pegs[target].insert(0, disc)
        assert pegs[goal] == list(range(1, discs + 1))
        assert (len(moves), 1) == fewest(start, goal, discs)


def fewest(start: dict[str, tuple[int, ...]], goal: str, discs: int) -> tuple[int, int]:
    """Length of the shortest solution, and how many there are."""
    first = tuple(sorted(start.items()))
    wanted = tuple(sorted((peg, tuple(range(1, discs + 1)) if peg == goal else ()) for peg in start))
    far, ways, queue = {first: 0}, {first: 1}, deque([first])
    while queue:
        state = queue.popleft()
        if state == wanted:
            break
        pegs = dict(state)
        for source, target in permutations(pegs, 2):
            if not pegs[source] or (pegs[target] and pegs[target][0] < pegs[source][0]):
                continue
            moved = {**pegs, source: pegs[source][1:], target: (pegs[source][0], *pegs[target])}
            after = tuple(sorted(moved.items()))
            if after not in far:
                far[after], ways[after] = far[state] + 1, 0
                queue.append(after)
            if far[after] == far[state] + 1:
                ways[after] += ways[state]
    return far[wanted], ways[wanted]


def test_blocks(built: Built) -> None:
    for sample in built("planning")["blocks"]:
        told = sample.input.partition("bottom to top: ")[2].partition(". The top")[0]
        stacks = [part.partition(": ")[2].split(", ") for part in told.split("; ")]
        moves = re.findall(r"top block of stack (\d) goes onto stack (\d)", sample.input)
        assert len(moves) == int(sample.slices["steps"])
        for source, target in moves:
            stacks[int(target) - 1].append(stacks[int(source) - 1].pop())
        if top := re.search(r"on top of stack (\d)\?", sample.input):
            right = stacks[int(top[1]) - 1][-1]
        else:
            above = re.search(r"under the (\w+) one\?", sample.input)[1]  # type: ignore[index]
            [stack] = [stack for stack in stacks if above in stack]
            right = stack[stack.index(above) - 1]
            assert stack.index(above) > 0
        assert sample.target.strip() == right


def test_knights(built: Built) -> None:
    for sample in built("planning")["knights"]:
        said = re.findall(r'(\w+) says: "(.*?)"', sample.input)
        people = [speaker for speaker, _ in said]
        answers = []
        for kinds in product(("knave", "knight"), repeat=len(people)):
            honest = dict(zip(people, (kind == "knight" for kind in kinds), strict=True))
            if all(honest[speaker] == true(words, speaker, honest) for speaker, words in said):
                answers.append(", ".join(kinds))
        assert answers == [sample.target.strip()]
        asked = re.search(r"What are (.*), in this order", sample.input)[1]  # type: ignore[index]
        assert asked.replace(" and ", ", ").split(", ") == people


def true(words: str, speaker: str, honest: dict[str, bool]) -> bool:
    """Whether a statement holds."""
    if match := re.match(r"(\w+) is a (knight|knave)", words):
        return honest[match[1]] == (match[2] == "knight")
    if match := re.match(r"(\w+) and I are of (the same kind|different kinds)", words):
        return (honest[match[1]] == honest[speaker]) == (match[2] == "the same kind")
    match = re.match(r"There (?:is|are) exactly (\d) knights? here", words)
    assert match
    return sum(honest.values()) == int(match[1])


def value(text: str) -> bool:
    """Evaluate an expression of words: reads it token by token."""
    tokens = deque(re.findall(r"\(|\)|\w+", text))

    def atom() -> bool:
        match tokens.popleft():
            case "(":
                inner = either()
                assert tokens.popleft() == ")"
                return inner
            case "not":
                return not atom()
            case word:
                return {"true": True, "false": False}[word]

    def either() -> bool:
        left = atom()
        while tokens and tokens[0] in ("and", "or"):
            word, right = tokens.popleft(), atom()
            left = (left and right) if word == "and" else (left or right)
        return left

    result = either()
    assert not tokens
    return result


def test_boolean(built: Built) -> None:
    for sample in built("planning")["boolean"]:
        text = sample.input.partition("false? ")[2].partition("\n")[0]
        assert sample.target.strip() == str(value(text)).lower()
        assert len(re.findall(r"\b(?:and|or|not)\b", text)) == int(sample.slices["operators"])


def test_answers_cannot_be_had_from_the_beginning(built: Built) -> None:
    """Who asks for the first state is right no more often than chance says."""
    samples = built("planning")["swaps"]
    still = [dict(re.findall(r"(\w+) has the (\w+)\.", s.input)) for s in samples]
    asked = [re.search(r"What does (\w+) have", s.input)[1] for s in samples]  # type: ignore[index]
    right = sum(held[name] == s.target.strip() for held, name, s in zip(still, asked, samples, strict=True))
    assert right / len(samples) < 0.3
