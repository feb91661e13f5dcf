"""Questions that wait for the detector: their order, and which of them are asked together."""

import threading
from concurrent.futures import CancelledError

import pytest
from helpers import PATIENCE

from realitycheck.web.waiting import Asked, Waiting


def one(calls: list) -> list:
    return calls


def other(calls: list) -> list:
    return calls


def put(waiting: Waiting, *asked: Asked) -> None:
    for question in asked:
        waiting.put(question)


def numbers(asked: list[Asked]) -> list[int]:
    return [question.arguments[0] for question in asked]


def test_what_waits_is_taken_together_as_it_came():
    waiting = Waiting(3)
    put(waiting, *(Asked(one, (number,), together=True) for number in range(5)))
    assert numbers(waiting.take()) == [0, 1, 2]
    assert numbers(waiting.take()) == [3, 4]


def test_only_questions_of_a_kind_go_together_and_none_is_passed_for_ever():
    waiting = Waiting(8)
    put(
        waiting,
        Asked(one, (0,), together=True),
        Asked(other, (1,), together=False),
        Asked(one, (2,), together=True),
        Asked(other, (3,), together=True),
        Asked(one, (4,), together=False),
    )
    assert [numbers(waiting.take()) for _ in range(4)] == [[0, 2], [1], [3], [4]]


def test_nobody_waits_for_company():
    waiting, taken = Waiting(8), []
    taker = threading.Thread(target=lambda: taken.append(numbers(waiting.take())))
    taker.start()
    put(waiting, Asked(one, (0,), together=True))
    taker.join(PATIENCE)
    assert taken == [[0]]


def test_what_is_put_back_comes_first_and_each_by_itself():
    waiting = Waiting(8)
    put(waiting, *(Asked(one, (number,), together=True) for number in range(2)))
    failed = waiting.take()
    put(waiting, Asked(one, (2,), together=True))
    waiting.put_back(failed)
    again = [waiting.take() for _ in range(3)]
    assert [numbers(asked) for asked in again] == [[0], [1], [2]]
    again[0][0].answer.set_result("answered")
    assert failed[0].answer.result(0) == "answered", (
        "who asked waits for the first answer's promise"
    )


@pytest.mark.parametrize("late", [False, True])
def test_once_closed_whoever_waits_is_told_and_nothing_is_taken(late):
    waiting = Waiting(8)
    asked = [Asked(one, (number,), together=True) for number in range(2)]
    if late:
        waiting.close()
        waiting.put(asked[0])
        waiting.put_back(asked[1:])
    else:
        put(waiting, *asked)
        waiting.close()
    assert waiting.take() == []
    for question in asked:
        with pytest.raises(CancelledError):
            question.answer.result(0)
