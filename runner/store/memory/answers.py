"""Kept answers of the memory store. Plain Python; no call waits."""

from __future__ import annotations

from runner.ports.answers import MOST_ANSWERS, KeptAnswer


class Answers:
    """What is kept to be given again."""

    def __init__(self) -> None:
        self._kept: dict[str, KeptAnswer] = {}

    def kept(self, key: str, now_ms: int) -> KeptAnswer | None:
        """As `AnswerStore.kept_answer`."""
        found = self._kept.get(key)
        return None if found is None or found.until_ms <= now_ms else found

    def keep(self, answer: KeptAnswer) -> None:
        """As `AnswerStore.keep_answer`."""
        self._kept[answer.key] = answer
        of_bot = sorted(
            (one for one in self._kept.values() if one.bot == answer.bot),
            key=lambda one: (one.made_ms, one.key),
        )
        for oldest in of_bot[: max(0, len(of_bot) - MOST_ANSWERS)]:
            del self._kept[oldest.key]

    def forget(self, bot: str | None) -> int:
        """All of a bot's, or of every bot's; how many there were."""
        return self._drop([key for key, one in self._kept.items() if bot in (None, one.bot)])

    def forget_old(self, until_ms: int) -> int:
        """Those whose time is over by then; how many there were."""
        return self._drop([key for key, one in self._kept.items() if one.until_ms <= until_ms])

    def _drop(self, keys: list[str]) -> int:
        for key in keys:
            del self._kept[key]
        return len(keys)
