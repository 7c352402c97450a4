"""A store that fails is told once, until it works again."""

from runner.dispatch.trouble import Trouble
from runner.errors import StoreError
from runner.ports.observer import Fault
from runner.testing.observer import RecordingObserver


def test_what_lasts_is_told_once_and_again_after_it_was_over() -> None:
    observer = RecordingObserver()
    trouble = Trouble("lanes", observer)
    trouble.ends()
    for about in ("", "a lane", ""):
        trouble.begins(StoreError("away"), about)
    trouble.ends()
    trouble.begins(StoreError("away"), "a lane")
    assert observer.of(Fault) == [Fault("lanes", "away"), Fault("lanes", "a lane: away")]
