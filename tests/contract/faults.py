"""Ways to make a rig's S3 server misbehave: on every answer, on some, on those about one upload."""

from collections.abc import Callable, Container
from dataclasses import replace
from itertools import count

from contract.rigs import PARTS, UPLOADS, Rig, body, fields
from contract.scans import spoiling
from servers.s3 import Listing
from servers.standin import Reply, Request

Misbehave = Callable[[Rig], None]
"""Makes a rig's server misbehave."""
TOO_LATE: dict[str, dict[str, object]] = {
    "no answer": {"hang": True},
    "dripping headers": {"drip_headers": 0.1},
    "dripping body": {"drip_body": 0.1},
    "dripping chunks": {"drip_body": 0.1, "chunked": True},
    "dripping without length": {"drip_body": 0.1, "no_length": True},
    "late headers": {"delay_before_headers": 20.0},
    "late body": {"delay_before_body": 20.0},
}
"""How a reply is sent that comes too late where a call may take 5 seconds."""
VICTIM = "u0003"
"""The one upload that single misbehaviours hit."""


def page(operation: str, change: Callable[[Listing], Listing], on: Container[int] | None = None) -> Misbehave:
    return lambda rig: rig.fault(operation, on, page=change)


def reply(operation: str, change: Callable[[Reply], Reply], on: Container[int] | None = None) -> Misbehave:
    return lambda rig: rig.fault(operation, on, reply=change)


def asked(operation: str, change: Callable[[Request], Request]) -> Misbehave:
    """Have the server see another request than was sent."""
    return lambda rig: rig.fault(operation, request=change)


def both(*misbehaviours: Misbehave) -> Misbehave:
    def each(rig: Rig) -> None:
        for misbehave in misbehaviours:
            misbehave(rig)

    return each


def victim(change: Callable[[Reply], Reply], times: int | None = None) -> Misbehave:
    """Spoil the answers about one upload's parts, those first ones or all."""

    def misbehave(rig: Rig) -> None:
        number = count(1)
        spoiling(rig, VICTIM, lambda true: change(true) if times is None or next(number) <= times else true)

    return misbehave


def victim_page(change: Callable[[Listing], Listing]) -> Misbehave:
    return page(PARTS, lambda found: change(found) if found.fields["UploadId"] == VICTIM else found)


def three_ways(change: Callable[[Reply], Reply]) -> dict[str, Misbehave]:
    """Return a fault of the reply: of listings, of all about parts, of those about one upload's."""
    return {"listing": reply(UPLOADS, change), "parts": reply(PARTS, change), "one": victim(change)}


def two_ways(change: Callable[[Listing], Listing]) -> dict[str, Misbehave]:
    return {"listing": page(UPLOADS, change), "one": victim_page(change)}


def each_way(
    changes: dict[str, Callable[..., object]], ways: Callable[..., dict[str, Misbehave]]
) -> dict[str, Misbehave]:
    return {
        f"{name}, {way}": misbehave
        for name, change in changes.items()
        for way, misbehave in ways(change).items()
    }


def instead(other: Reply) -> Callable[[Reply], Reply]:
    return lambda _: other


def sent(**how: object) -> Callable[[Reply], Reply]:
    """Return a fault of the sending, the content being true."""
    return lambda true: replace(true, **how)


def both_of(one: Callable[[Reply], Reply], other: Callable[[Reply], Reply]) -> Callable[[Reply], Reply]:
    return lambda true: other(one(true))


def headed(**headers: str | None) -> Callable[[Reply], Reply]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda true: replace(true, headers={**true.headers, **named})


def swap(old: bytes, new: bytes, times: int = -1) -> Callable[[Reply], Reply]:
    return body(lambda text: text.replace(old, new, times))


def shuffled(found: Listing) -> Listing:
    return replace(found, items=found.items[::-1])


def doubled(found: Listing) -> Listing:
    return replace(found, items=found.items * 2)


def emptied(found: Listing) -> Listing:
    changes = {"IsTruncated": "true", "NextKeyMarker": "a", "NextUploadIdMarker": ""}
    return replace(found, items=[], fields=found.fields | changes)


def each_item(**changes: str | None) -> Callable[[Listing], Listing]:
    return lambda found: replace(found, items=[item | changes for item in found.items])


def first_item(**changes: str | None) -> Callable[[Listing], Listing]:
    return lambda found: replace(found, items=[item | changes for item in found.items[:1]] + found.items[1:])


def repeating() -> Misbehave:
    """Begin each page of uploads with the last item of the one before."""

    def misbehave(rig: Rig) -> None:
        before: list[Listing] = []

        def change(found: Listing) -> Listing:
            repeated = before[-1].items[-1:] if before else []
            before.append(found)
            return replace(found, items=repeated + found.items)

        rig.fault(UPLOADS, page=change)

    return misbehave


def turning(*keys: str) -> Misbehave:
    """Give these markers again and again."""

    def misbehave(rig: Rig) -> None:
        number = count()

        def turn(found: Listing) -> Listing:
            key = keys[next(number) % len(keys)]
            return fields(IsTruncated="true", NextKeyMarker=key, NextUploadIdMarker=key)(found)

        rig.fault(UPLOADS, page=turn)

    return misbehave
