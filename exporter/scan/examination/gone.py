"""Uploads that are listed although ListParts does not know them: they ended meanwhile, or the store lies."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from exporter.model.errors import NotAnUploadError
from exporter.scan.examination.questions import REPLACEMENT, Question, is_denied_twice, is_listed_by_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from exporter.config.settings import BucketSettings
    from exporter.model.errors import StoreError
    from exporter.model.uploads import Upload
    from exporter.scan.examination.questions import Questions
    from exporter.scan.outcomes import OutcomeRecorder
    from exporter.state.ledger import Ledger

MIN_ENDED = 10
"""Where nothing can be asked by name, fewer uploads than this that end during a scan are no sign."""
MAX_HELD = 10_000
"""Maximum number of uploads that are held until the end of the pass; further ones are unsized at once."""


class GoneUploads:
    """Decides what each of them is: ended and left out, unsized, or denied. For one pass.

    An upload may end between its listing and the call about its parts. One that is listed again afterwards,
    or is among more than half of all, is asked for by name. So are all after a repeated listing, which
    one-shot runs make.
    """

    def __init__(
        self,
        bucket: BucketSettings,
        ledger: Ledger,
        outcomes: OutcomeRecorder,
        questions: Questions,
        *,
        by_name: bool,
    ) -> None:
        """Make it without uploads; `by_name` is false for a store that cannot list one key's uploads."""
        self._bucket = bucket
        self._ledger = ledger
        self._outcomes = outcomes
        self._questions = questions
        self._by_name = by_name
        self._denied_before = ledger.denied
        self._held: dict[tuple[str, str], Upload] = {}
        self._gone = 0

    def add(self, upload: Upload) -> None:
        """Take an upload that ListParts does not know."""
        self._gone += 1
        again = self._ledger.record_ended(upload)
        if REPLACEMENT in upload.key or (again and not self._by_name):
            self._outcomes.add_unknown(
                upload
            )  # such a key was replaced by the store: no question can name it
        elif again and self._ledger.row_id(upload) in self._denied_before:
            self._outcomes.add_denied(upload)
        elif again:
            self._ask_twice([upload])
        elif len(self._held) < MAX_HELD:
            self._held[upload.key, upload.upload_id] = upload
        else:
            self._outcomes.add_unknown(upload)

    @property
    def needs_listing(self) -> bool:
        """Whether a repeated listing can say more about any of them."""
        return bool(self._held)

    def add_listed_again(self, uploads: Iterable[Upload]) -> None:
        """Take a page of the repeated listing: those of the uploads that are still on it are asked for."""
        again = [gone for each in uploads if (gone := self._held.pop((each.key, each.upload_id), None))]
        if self._by_name:
            self._ask_twice(again)
        else:
            for upload in again:
                self._outcomes.add_unknown(upload)

    def finish(self, *, answers: int) -> None:
        """Leave out those that are held, unless they are too many of all `answers` about parts."""
        held, self._held = self._held.values(), {}
        if self._gone <= answers / 2 or not (self._by_name or self._gone >= MIN_ENDED):
            return
        if self._by_name:
            asked = (
                Question(is_listed_by_name(self._bucket, each), partial(self._take, each)) for each in held
            )
            self._questions.ask(asked)
        else:
            for upload in held:
                self._outcomes.add_unknown(upload)

    def drop_held(self) -> None:
        """Leave out those that no repeated listing showed: they have ended."""
        self._held = {}

    def count_held(self) -> None:
        """Count as unsized those of which nothing more can be learnt, as the repeated listing failed."""
        for upload in self._held.values():
            self._outcomes.add_unknown(upload)
        self._held = {}

    def _ask_twice(self, uploads: Collection[Upload]) -> None:
        asked = (
            Question(is_denied_twice(self._bucket, each), partial(self._take_denial, each))
            for each in uploads
        )
        self._questions.ask(asked)

    def _take(self, upload: Upload, is_listed: bool | StoreError) -> None:  # noqa: FBT001 - an answer
        """Count an upload that is listed by name, or could not be asked for; any other has ended."""
        if is_listed:
            self._outcomes.add_unknown(upload)

    def _take_denial(self, upload: Upload, is_denied: bool | StoreError) -> None:  # noqa: FBT001 - an answer
        if is_denied is True:
            self._outcomes.add_denied(upload)
        elif not isinstance(is_denied, NotAnUploadError):
            self._outcomes.add_unknown(upload)
