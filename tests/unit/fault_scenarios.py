"""What precedes the scan in which a step fails: histories of a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from fakes import DAY
from unit.fault_world import INTERVAL, SegmentedStore, WorldStore

if TYPE_CHECKING:
    from unit.fault_world import World

UPLOADS = 13


class Scenario:
    """A bucket's store, the settings of its target, and what came before the scan."""

    settings: ClassVar[dict[str, Any]] = {}

    @classmethod
    def store(cls) -> WorldStore:
        made = WorldStore()
        made.begin(UPLOADS)
        return made

    @staticmethod
    def prepare(world: World) -> None:
        """Have nothing come before: it is the first scan."""


class First(Scenario):
    """Nothing is known."""


class Unchanged(Scenario):
    """All is as it was at the scans before."""

    @staticmethod
    def prepare(world: World) -> None:
        world.scan()
        world.scan()


class Churned(Scenario):
    """Some uploads have ended, some have begun, some have grown."""

    @staticmethod
    def prepare(world: World) -> None:
        world.scan()
        churn(world)


class Restarted(Churned):
    """Likewise, and the process is another one."""

    @staticmethod
    def prepare(world: World) -> None:
        Churned.prepare(world)
        world.restart()


class Hidden(Scenario):
    """The listing hides two uploads from now on, and one has ended."""

    @staticmethod
    def prepare(world: World) -> None:
        world.scan()
        world.store.hidden = {"id-03", "id-07"}
        world.store.end("id-05")


class StillHidden(Hidden):
    """It hid them before, and another one has ended."""

    @staticmethod
    def prepare(world: World) -> None:
        Hidden.prepare(world)
        world.scan()
        world.store.end("id-06")


class RestartedHidden(Hidden):
    """It hid them before, and the process is another one."""

    @staticmethod
    def prepare(world: World) -> None:
        StillHidden.prepare(world)
        world.restart()


class AllHidden(Scenario):
    """The listing is empty, though all uploads but one are there."""

    @staticmethod
    def prepare(world: World) -> None:
        world.scan()
        world.store.hidden = {each.upload_id for each in world.store.uploads}
        world.store.end("id-05")


class Denied(Scenario):
    """The listing has two uploads that have ended, for the second time."""

    @staticmethod
    def prepare(world: World) -> None:
        world.scan()
        ghosts = world.store.uploads[2:9:6]
        world.store.end(*(each.upload_id for each in ghosts))
        world.store.ghosts = ghosts
        world.clock.now = world.moment = world.moment + DAY
        world.scan()


class StillDenied(Denied):
    """It had them before."""

    @staticmethod
    def prepare(world: World) -> None:
        Denied.prepare(world)
        world.scan()


class Segmented(Scenario):
    """The listing is cut into segments, and some uploads have begun or ended."""

    settings: ClassVar[dict[str, Any]] = {"listing_concurrency": 3}

    @classmethod
    def store(cls) -> WorldStore:
        made = SegmentedStore(page_size=3)
        made.begin(30)
        return made

    @staticmethod
    def prepare(world: World) -> None:
        world.scan()
        world.scan()
        churn(world)


SCENARIOS = (
    First,
    Unchanged,
    Churned,
    Restarted,
    Hidden,
    StillHidden,
    RestartedHidden,
    AllHidden,
    Denied,
    StillDenied,
    Segmented,
)


def churn(world: World) -> None:
    """Have uploads begin, end and grow; all are due by the next scan."""
    store = world.store
    store.end("id-02", "id-06", "id-08")
    store.begin(2, age=DAY)
    for upload_id in ("id-00", "id-04", "id-10"):
        store.grow(upload_id)
    world.moment += DAY - INTERVAL
