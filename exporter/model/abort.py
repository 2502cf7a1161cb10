"""How a person aborts one upload, by the vendor's own tool. The exporter itself never aborts one."""

from __future__ import annotations

from typing import NamedTuple

Words = tuple[str, ...]
"""A command: its name and arguments, not quoted yet."""


class AbortCommand(NamedTuple):
    """The commands that abort an upload, or what to do where no tool can. It holds no credentials.

    `calls` has one command; where each of several nodes may hold the upload, one for each, to be tried in
    turn; none where no tool can do it, and `instead` says what to do then: plain words, for a comment.
    `listing` is a command that prints the upload's id as long as the store lists it, `inventory` one that
    prints the ids of all that it lists now, of the whole bucket, and `proof` one by which to see that the
    bucket is what they list; () where there is none. `listing` and `proof` print first the bucket's name, as
    `answers_of` ('': any), and whether the list goes on.
    `addressing_style` is one that the AWS CLI has to be configured with, '' for its own choice.
    """

    calls: tuple[Words, ...] = ()
    listing: Words = ()
    inventory: Words = ()
    proof: Words = ()
    answers_of: str = ""
    addressing_style: str = ""
    profile: str = ""
    instead: str = ""
