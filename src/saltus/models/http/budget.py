"""What a model may cost, in money and tokens, and what its answers have cost."""

from __future__ import annotations

from saltus.models.http.options import Flow
from saltus.records.errors import BudgetError


class Budget:
    """Counts answers, and says whether there is room for another request.

    What is under way counts as much as the mean answer so far, so that the end is met closely; until there is
    an answer, one request goes out at a time.

    Args:
        flow: The limits and the prices.

    Attributes:
        answers: Answers counted.
        tokens: Of their prompts and completions.
        cost: In the currency of the prices.
    """

    def __init__(self, flow: Flow) -> None:
        self.answers = 0
        self.tokens = (0, 0)
        self.cost = 0.0
        self.limited = flow.max_cost is not None or flow.max_tokens_total is not None
        self._flow = flow

    def count(self, tokens_in: int, tokens_out: int) -> None:
        """Take note of one answer."""
        self.answers += 1
        self.tokens = (self.tokens[0] + tokens_in, self.tokens[1] + tokens_out)
        self.cost += (tokens_in * self._flow.price_in + tokens_out * self._flow.price_out) / 1e6

    def has_room(self, under_way: int) -> bool:
        """Whether one more request may go out beside those under way."""
        if not self.limited:
            return True
        if not self.answers:
            return under_way == 0
        flow, total = self._flow, sum(self.tokens)
        return (flow.max_cost is None or self._fits(self.cost, flow.max_cost, under_way)) and (
            flow.max_tokens_total is None or self._fits(total, flow.max_tokens_total, under_way)
        )

    def error(self) -> BudgetError:
        """What to raise when there is no room."""
        flow, total = self._flow, sum(self.tokens)
        by_tokens = flow.max_tokens_total is not None and not self._fits(total, flow.max_tokens_total, 0)
        name = "max_tokens_total" if by_tokens else "max_cost"
        limit = f"{flow.max_tokens_total:,} tokens" if by_tokens else f"{flow.max_cost:g}"
        return BudgetError(
            f"the budget of {limit} is used up: {self.answers:,} answers took {total:,} tokens at a cost of "
            f"{self.cost:.6g}, and another would not fit; raise {name} to go on",
            field=name,
        )

    def _fits(self, spent: float, most: float, under_way: int) -> bool:
        return spent * (1 + (under_way + 1) / self.answers) <= most
