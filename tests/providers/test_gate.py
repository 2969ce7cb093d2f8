"""The gate in front of a provider, with a real Redis: when it closes, when it opens again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import time_machine
from redis import Redis

from app.cache import connect_cache
from app.ids import new_token
from app.providers.errors import OutcomeUnknown, Refused, Unavailable
from app.providers.gate import Gate
from app.timings import Timings, configure_timings, timings


@pytest.fixture
def gate(redis: Redis) -> Gate:
    return Gate(redis, "mpesa", new_token())


@pytest.fixture
def quick_probe() -> Iterator[None]:
    before = timings()
    configure_timings(Timings(probe_every=0.001))
    yield
    configure_timings(before)


def fail(gate: Gate) -> None:
    with pytest.raises(OutcomeUnknown), gate.calling():
        raise OutcomeUnknown("mpesa", "no answer")


def succeed(gate: Gate) -> None:
    with gate.calling():
        pass


def is_closed(gate: Gate) -> bool:
    try:
        succeed(gate)
    except Unavailable as error:
        return error.code == "gate"
    return False


def test_five_failures_in_a_row_close_it_for_this_credential_alone(
    gate: Gate, redis: Redis
) -> None:
    for _ in range(4):
        fail(gate)
    succeed(gate)
    for _ in range(4):
        fail(gate)
    assert not is_closed(gate)

    for _ in range(5):
        fail(gate)

    assert is_closed(gate)
    assert is_closed(Gate(redis, "mpesa", "another")) is False


def test_a_refusal_is_an_answer(gate: Gate) -> None:
    for _ in range(12):
        with pytest.raises(Refused), gate.calling():
            raise Refused("mpesa", "no")

    assert not is_closed(gate)


def test_more_than_half_of_twenty_calls_close_it(gate: Gate) -> None:
    with time_machine.travel("2026-11-20T12:00:00+03:00", tick=False) as clock:
        for number in range(8):
            succeed(gate)
            fail(gate)
            clock.shift(1 if number == 4 else 0)
        for _ in range(3):
            fail(gate)
        assert not is_closed(gate)  # 19 and this one: 11 of 20 failed, but it was no failure

        fail(gate)

        assert is_closed(gate)


def test_failures_of_a_minute_ago_do_not_count(gate: Gate) -> None:
    with time_machine.travel("2026-11-20T12:00:00+03:00", tick=False) as clock:
        for _ in range(9):
            succeed(gate)
            fail(gate)
        clock.shift(61)
        for _ in range(2):
            fail(gate)

        assert not is_closed(gate)


@pytest.mark.usefixtures("quick_probe")
def test_one_call_is_let_through_to_see_and_opens_it(gate: Gate, redis: Redis) -> None:
    for _ in range(5):
        fail(gate)
    redis.set(f"{gate.name}:probe", "1")  # somebody is looking already
    assert is_closed(gate)
    redis.delete(f"{gate.name}:probe")

    succeed(gate)

    redis.set(f"{gate.name}:probe", "1")
    assert not is_closed(gate)


def test_without_redis_every_call_passes() -> None:
    gate = Gate(connect_cache("redis://127.0.0.1:1/0"), "mpesa", "anything")
    for _ in range(6):
        fail(gate)
    gate.take_query()

    assert not is_closed(gate)


def test_five_look_ups_a_second_for_one_credential(gate: Gate, redis: Redis) -> None:
    with time_machine.travel("2026-11-20T12:00:00+03:00", tick=False) as clock:
        for _ in range(5):
            gate.take_query()
        with pytest.raises(Unavailable) as refused:
            gate.take_query()
        Gate(redis, "mpesa", "another").take_query()
        clock.shift(1)
        gate.take_query()

    assert refused.value.code == "budget"
