"""The suite "planning": states to follow and plans to find over many steps, each with one right answer."""

from __future__ import annotations

from collections import deque
from functools import cache
from itertools import pairwise
from string import ascii_uppercase

from saltus.tasks.builtin.draw import Draw
from saltus.tasks.builtin.logic import CHANCE_OF_KNIGHTS, boolean, knights
from saltus.tasks.builtin.recipe import Item, Plan, Recipe, Slot, build
from saltus.tasks.builtin.words import COLOURS, NAMES, THINGS
from saltus.tasks.task import Suite

State = tuple[int, ...]

_HOLDERS = (3, 4, 5, 6, 7)
_SWAPS = (2, 4, 8, 16, 32)
_LEGS = (2, 3, 4, 5, 6)
_DISCS = (4, 4, 5, 5, 6)
_MOVES = ((2, 3), (4, 5), (6, 8), (9, 12), (13, 20))
_BLOCK_MOVES = (2, 4, 8, 16, 32)


def suite(seed: int = 0, items: int = 200) -> Suite:
    """Swaps, shortest paths, the tower of Hanoi, blocks, knights and knaves, and truth values.

    Args:
        seed: Of all items.
        items: Of each task.
    """
    return build(PLAN, seed, items)


def _swaps(draw: Draw, slot: Slot) -> Item:
    """People who each hold something swap it again and again; the answer is equally often each thing."""
    n, swaps = slot.of(_HOLDERS), slot.of(_SWAPS)
    people = draw.some(NAMES, n)
    things = [one for one, _ in draw.some(THINGS, n)]
    story = [f"{name} has the {thing}." for name, thing in zip(people, things, strict=True)]
    held = list(range(n))
    for _ in range(swaps):
        a, b = draw.some(range(n), 2)
        held[a], held[b] = held[b], held[a]
        story.append(f"{people[a]} and {people[b]} swap what they have.")
    asked = held.index(slot.balanced(n, "thing"))
    return Item(
        input=f"{' '.join(story)}\nQuestion: What does {people[asked]} have now? Answer with one "
        f"word.\nAnswer:",
        target=f" {things[held[asked]]}",
        slices={"steps": str(swaps), "people": str(n)},
    )


def _paths(draw: Draw, slot: Slot) -> Item:
    """A map of one-way roads with exactly one shortest route, two to six roads long."""
    legs = slot.of(_LEGS)
    n = 2 * legs + 2
    towns = draw.some(ascii_uppercase, n)
    while True:
        route = list(range(legs + 1))
        roads = set(pairwise(route))
        for _ in range(n):
            a, b = draw.some(range(n), 2)
            roads.add((a, b))
        if shortest(roads, 0, legs) == [route]:
            break
    listed = ", ".join(f"{towns[a]}-{towns[b]}" for a, b in draw.shuffled(sorted(roads)))
    return Item(
        input=f"One-way roads: {listed}.\nQuestion: What is the shortest way from {towns[0]} to "
        f"{towns[legs]}? "
        "Write the towns in order with a hyphen between them.\nAnswer:",
        target=" " + "-".join(towns[place] for place in route),
        slices={"steps": str(legs), "roads": str(len(roads))},
    )


def shortest(roads: set[tuple[int, int]], start: int, goal: int) -> list[list[int]]:
    """All shortest routes, none when there is no way."""
    routes, reached = [[start]], {start}
    while routes and not (found := [route for route in routes if route[-1] == goal]):
        routes = [
            [*route, b] for route in routes for a, b in sorted(roads) if a == route[-1] and b not in reached
        ]
        reached |= {route[-1] for route in routes}
    return found if routes else []


def _hanoi(draw: Draw, slot: Slot) -> Item:
    """Discs anywhere on three pegs, to be brought to one peg: the shortest solution is the only one."""
    (low, high), discs = slot.of(_MOVES), slot.of(_DISCS)
    pegs = sorted(draw.some(ascii_uppercase, 3))
    goal = draw.below(3)
    solved = _solutions(goal, discs)
    state = draw.pick([state for state, moves in solved.items() if low <= len(moves) <= high])
    shown = "; ".join(
        f"{pegs[peg]}: {', '.join(str(disc + 1) for disc in range(discs) if state[disc] == peg) or 'empty'}"
        for peg in range(3)
    )
    return Item(
        input="Tower of Hanoi. Disc 1 is the smallest. One disc moves at a time, only the top one of a peg, "
        "and never "
        f"onto a smaller disc.\nPegs from top to bottom: {shown}.\n"
        f"Question: What is the shortest way to bring all discs to peg {pegs[goal]}? Write moves such as "
        f"{pegs[0]}>{pegs[1]} with commas between them.\nAnswer:",
        target=" " + ", ".join(f"{pegs[a]}>{pegs[b]}" for a, b in solved[state]),
        slices={"steps": str(len(solved[state])), "discs": str(discs)},
    )


@cache
def _solutions(goal: int, discs: int) -> dict[State, tuple[tuple[int, int], ...]]:
    """Of every state, the moves that bring all discs to the goal: backwards from there, breadth first."""
    start: State = (goal,) * discs
    found: dict[State, tuple[tuple[int, int], ...]] = {start: ()}
    queue = deque([start])
    while queue:
        state = queue.popleft()
        for disc in range(discs):
            if state[disc] in state[:disc]:
                continue
            for peg in range(3):
                before = (*state[:disc], peg, *state[disc + 1 :])
                if peg != state[disc] and peg not in state[:disc] and before not in found:
                    found[before] = ((peg, state[disc]), *found[state])
                    queue.append(before)
    return found


def _blocks(draw: Draw, slot: Slot) -> Item:
    """Coloured blocks are moved from stack to stack; what lies under one of them at the end?"""
    colours = draw.some(COLOURS, 5)
    stacks: list[list[str]] = [[colours[0], colours[1]], [colours[2], colours[3]], [colours[4]]]
    told = "; ".join(f"stack {i + 1}: {', '.join(stack)}" for i, stack in enumerate(stacks))
    steps = []
    moves = slot.of(_BLOCK_MOVES)
    for _ in range(moves):
        source = draw.pick([i for i in range(3) if stacks[i]])
        goal = draw.pick([i for i in range(3) if i != source])
        stacks[goal].append(stacks[source].pop())
        steps.append(f"The top block of stack {source + 1} goes onto stack {goal + 1}.")
    wanted = colours[slot.balanced(5, "colour")]
    stack = next(stack for stack in stacks if wanted in stack)
    above = stack.index(wanted) + 1
    question = (
        f"Which colour has the block directly under the {stack[above]} one?"
        if above < len(stack)
        else f"Which colour has the block on top of stack {stacks.index(stack) + 1}?"
    )
    return Item(
        input=f"Blocks from bottom to top: {told}. {' '.join(steps)}\nQuestion: {question} Answer with one "
        f"word.\nAnswer:",
        target=f" {wanted}",
        slices={"steps": str(moves)},
    )


PLAN = Plan(
    name="planning",
    description="States to follow and plans to find over 2 to 32 steps; every item has exactly one right "
    "answer.",
    limits="Made-up worlds without noise. A plan counts only when it is the shortest one, written as asked; "
    "a longer plan "
    "that works scores 0.",
    recipes=(
        Recipe(
            name="swaps",
            make=_swaps,
            quantity="steps",
            chance=tuple(1 / n for n in _HOLDERS),
            description="Say who holds what after 2 to 32 swaps among 3 to 7 people.",
        ),
        Recipe(
            name="paths",
            make=_paths,
            quantity="steps",
            description="Find the one shortest way of 2 to 6 one-way roads.",
        ),
        Recipe(
            name="hanoi",
            make=_hanoi,
            quantity="steps",
            max_tokens=160,
            description="Solve a tower of Hanoi that is 2 to 20 moves from its end.",
        ),
        Recipe(
            name="blocks",
            make=_blocks,
            quantity="steps",
            chance=1 / 4,  # the colour that the question names is not the answer
            description="Say which of five blocks is where after 2 to 32 moves.",
        ),
        Recipe(
            name="knights",
            make=knights,
            quantity="people",
            chance=CHANCE_OF_KNIGHTS,
            description="Say who tells the truth among 2 to 6 people whose statements allow one answer only.",
        ),
        Recipe(
            name="boolean",
            make=boolean,
            quantity="operators",
            chance=0.5,
            description="Evaluate a nested expression of and, or and not.",
        ),
    ),
)
