"""How many tokens so many bytes of a request are, learned from what replies report.

No tokenizer of the current Claude models is public, so an estimate is a ratio: it starts at a cautious constant and
follows each model's own replies. Nothing billed is ever computed from it where the provider reported usage.
"""

from __future__ import annotations

_START_BYTES_PER_TOKEN = 3.5  # Claude Code requests run from 3.3 (tokenizers since Opus 4.7) to 4.4 (earlier)
_WEIGHT_OF_NEW = 0.2
_PLAUSIBLE = (1.0, 12.0)
_SMALLEST_INFORMATIVE_PROMPT = 200


def tokens_in(size: int) -> int:
    """The tokens of `size` bytes before anything is known of the model."""
    return round(size / _START_BYTES_PER_TOKEN)


class Calibration:
    """Bytes per token by model, as an exponential average over the calls seen."""

    def __init__(self) -> None:
        self._ratio: dict[str, float] = {}

    def tokens(self, model: str, size: int) -> int:
        """The estimated prompt tokens of a request body of `size` bytes."""
        return round(size / self._ratio.get(model, _START_BYTES_PER_TOKEN))

    def observe(self, model: str, size: int, prompt_tokens: int) -> None:
        """Learn from one reply: its request had `size` bytes and `prompt_tokens` tokens."""
        if prompt_tokens < _SMALLEST_INFORMATIVE_PROMPT:
            return
        low, high = _PLAUSIBLE
        ratio = min(max(size / prompt_tokens, low), high)
        known = self._ratio.get(model, ratio)
        self._ratio[model] = known + _WEIGHT_OF_NEW * (ratio - known)
