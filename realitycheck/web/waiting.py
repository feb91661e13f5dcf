"""Questions that wait for the detector, and which of them are asked together."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

# Takes the arguments of several calls, and gives an answer or an error for each in turn.
Question = Callable[[list[tuple[Any, ...]]], list[Any]]


@dataclass(frozen=True, eq=False)
class Asked:
    """A question that somebody waits for.

    Attributes:
        question: that can be asked about several things at once.
        arguments: what it is asked about here.
        together: may be asked together with others of its kind.
        answer: what comes of it.
    """

    question: Question
    arguments: tuple[Any, ...]
    together: bool
    answer: "Future[Any]" = field(default_factory=Future)


class Waiting:
    """Questions in the order they came; safe to share between threads.

    Args:
        most: questions that are asked together, at most.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._asked: deque[Asked] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, asked: Asked) -> None:
        """Lets a question wait. Once closed, its answer is cancelled."""
        with self._changed:
            if self._closed:
                asked.answer.cancel()
            else:
                self._asked.append(asked)
                self._changed.notify()

    def take(self) -> list[Asked]:
        """The oldest question, with what waits of its kind; waits for one, but for no company.

        Returns:
            Questions that may be asked together, oldest first; none once closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._asked or self._closed)
            if not self._asked:
                return []
            first = self._asked.popleft()
            if not first.together:
                return [first]
            alike = [one for one in self._asked if one.together and one.question == first.question]
            company = alike[: self._most - 1]
            self._asked = deque(one for one in self._asked if one not in company)
            return [first, *company]

    def put_back(self, asked: list[Asked]) -> None:
        """Lets questions that were taken wait before all others, each to be asked by itself."""
        with self._changed:
            self._asked.extendleft(replace(one, together=False) for one in reversed(asked))
            self._changed.notify()
        if self._closed:
            self.close()

    def close(self) -> None:
        """Cancels the answers of all that wait, and of all that come."""
        with self._changed:
            self._closed = True
            while self._asked:
                self._asked.popleft().answer.cancel()
            self._changed.notify_all()
