"""Ctrl-C and what must not be left half done: the shield, the lock with a waiting room, and the handler."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from smartsim.engine import interrupt
from smartsim.engine.interrupt import Monitor, Shield, shield


class Target:
    """Counts how often it is told."""

    def __init__(self) -> None:
        self.told = 0

    def interrupt(self) -> None:
        self.told += 1


@pytest.fixture
def target() -> Iterator[Target]:
    """Something that is told of Ctrl-C; the handler is put back afterwards."""
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    made = Target()
    interrupt.watch(made)
    yield made
    interrupt._watched.discard(made)
    signal.signal(signal.SIGINT, before)


def test_the_target_is_told_and_then_the_interrupt_goes_on(target: Target) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert target.told == 1
    assert interrupt.raises()


def test_the_shield_puts_the_interrupt_off(target: Target) -> None:
    done: list[object] = []

    def run() -> None:
        with shield, shield:
            signal.raise_signal(signal.SIGINT)
            done.append(target.told)
        done.append("never")

    with pytest.raises(KeyboardInterrupt):
        run()
    assert done == [0]
    assert target.told == 1


def test_the_interrupt_is_not_lost_when_the_shielded_fails(target: Target) -> None:

    def run() -> None:
        with shield:
            signal.raise_signal(signal.SIGINT)
            raise ValueError("the error that it comes upon")

    with pytest.raises(KeyboardInterrupt) as caught:
        run()
    assert isinstance(caught.value.__context__, ValueError)
    assert target.told == 1


def test_other_threads_are_not_shielded() -> None:
    found: list[bool] = []

    def run() -> None:
        with Shield() as own:
            found.append(own.put_off())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [False]


def test_an_ignored_interrupt_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    made = Target()
    try:
        interrupt.watch(made)
        signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert made.told == 0


def test_a_target_that_fails_does_not_keep_the_others_from_being_told(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Target):
        def interrupt(self) -> None:
            raise OSError("no")

    broken = [Broken() for _ in range(3)]
    for one in broken:
        interrupt.watch(one)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert target.told == 1


def test_a_condition_that_holds_is_not_waited_for() -> None:
    assert Monitor().wait_for(lambda: True, timeout=0)


@pytest.mark.parametrize("timeout", [0, 0.01, -1])
def test_waiting_has_an_end(timeout: float) -> None:
    monitor = Monitor()
    assert not monitor.wait_for(lambda: False, timeout)
    assert not monitor._waiting


def test_everybody_who_waits_is_woken() -> None:
    monitor, values, woken = Monitor(), [0], list[int]()

    def run(number: int) -> None:
        monitor.wait_for(lambda: values[0] >= number)
        woken.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for value in range(1, 5):
        with monitor:
            values[0] = value
            monitor.notify_all()
    for thread in threads:
        thread.join(30)
    assert sorted(woken) == [1, 2, 3, 4]


def test_who_waits_can_be_interrupted_and_the_handler_may_use_the_lock(target: Target) -> None:
    monitor = Monitor()

    def use() -> None:
        with monitor:
            target.told += 1

    target.interrupt = use  # type: ignore[method-assign]
    main = threading.main_thread().ident
    assert main is not None

    def press() -> None:
        while not monitor._waiting:
            pass
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        monitor.wait_for(lambda: False)
    thread.join()
    assert target.told == 1
    assert not monitor._waiting
    with monitor:
        monitor.notify_all()
