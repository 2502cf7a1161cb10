"""Uploads that the listing lacks although the store has them: found by asking for remembered ones by name."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from exporter.model.errors import StoreError
from exporter.model.uploads import Upload
from exporter.scan.examination.questions import Question, is_control_listed
from exporter.stores.pagination.listing import list_by_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from exporter.config.settings import BucketSettings
    from exporter.scan.examination.questions import Questions
    from exporter.scan.sizing import Sizing
    from exporter.state.ledger import Ledger
    from exporter.state.rows import RememberedUpload
    from exporter.stores.pagination.listing import KeyListing

MAX_WITNESSES = 10
"""Maximum number of missing uploads that are asked for while the listing is not known to hide any."""
UNUSUAL_FACTOR = 2.0
"""More missing uploads than this multiple of the usual number are unusual."""
USUAL_DECAY = 0.9
"""The share of the usual number that is left a scan later."""
NOT_ASKED = "the store did not answer whether uploads that its listing lacks have ended"
UNREAD = "the state file could not be read: whether the listing lacks uploads is not known"
NOT_BY_KEY = "the store does not list uploads by their key: whether its listing lacks any is not known"


class HiddenUploads:
    """Finds the hidden uploads of one pass, and has them counted.

    Where the listing lacks remembered uploads, some of them are witnesses: if the store lists one by name,
    all are asked for. An upload that cannot be asked for counts as its record says, for a limited time.
    """

    def __init__(  # noqa: PLR0913 - what it depends on
        self,
        bucket: BucketSettings,
        ledger: Ledger,
        questions: Questions,
        sizing: Sizing,
        *,
        now: float,
        keep_for: float,
        list_again: Callable[[int], None],
        notify: Callable[[str], None],
    ) -> None:
        """Make it; `now` and `keep_for` are seconds.

        `list_again` is given the number of missing uploads before each of them is asked for; it may raise to
        have the bucket listed once more instead. `notify` is given what is to be told about the store.
        """
        self._bucket = bucket
        self._ledger = ledger
        self._questions = questions
        self._sizing = sizing
        self._now = now
        self._keep_for = keep_for
        self._list_again = list_again
        self._notify = notify
        self._control: Upload | None = None
        self._unanswered = self._failed = self._ended = self._found = self._unasked = 0
        self.is_undecided = False
        """Whether it is not known if the listing lacks uploads that the store has."""

    def begin(self, control: Upload | None) -> None:
        """Ask for witnesses, or for all missing uploads where the listing hid some before.

        `control` is any upload that the listing has: a store that does not list it by name either proves
        nothing by denying the witnesses.
        """
        self._control = control
        if not self._ledger.missing_count():
            self._note_hiding(None)
        elif self._ledger.traits.hiding_since is not None:
            self._ask_for_all()
        else:
            witnesses = filter(self._is_watched, self._ledger.witnesses(self._max_witnesses()))
            questions = list(self._by_key(witnesses, self._take_witnesses))
            self._unanswered = len(questions)
            self._questions.ask(questions)

    def _max_witnesses(self) -> int:
        """Return the number of witnesses: fewer after honest scans, unless unusually many are missing."""
        traits = self._ledger.traits
        if self._ledger.missing_count() > UNUSUAL_FACTOR * traits.usual_missing:
            return MAX_WITNESSES - (not traits.lists_by_key)  # there is a control to be asked for
        return max(1, MAX_WITNESSES - traits.honest_scans)

    def _is_watched(self, missing: RememberedUpload) -> bool:
        """Whether an upload is of the watched prefix, which may have changed since it was remembered."""
        return missing.upload is None or missing.upload.key.startswith(self._bucket.prefix or "")

    def finish(self) -> None:
        """Note whether the listing still hides uploads; call it when all questions are answered."""
        if self._ledger.is_unread:
            self.is_undecided = True
            self._notify(UNREAD)
        if not self.is_undecided:
            self._ledger.undecided_since = None
        if self._ledger.traits.hiding_since is not None and not (self._found or self._unasked):
            self._note_hiding(None)

    def _take_witnesses(self, asked: Sequence[RememberedUpload], listing: KeyListing | StoreError) -> None:
        self._unanswered -= 1
        if isinstance(listing, StoreError):
            self._failed += 1
        else:
            ids = {upload.upload_id for upload in listing.uploads}
            found = sum(each.upload is not None and each.upload.upload_id in ids for each in asked)
            self._found += found
            self._ended += len(asked) - found if listing.complete else 0
        if not self._unanswered:
            self._decide()

    def _decide(self) -> None:
        """Act on what the witnesses say; where one got no answer, no missing upload is forgotten yet."""
        if self._found:
            self._found = 0
            self._list_again(self._ledger.missing_count())
            self._note_hiding(self._now)
            self._ask_for_all()
        elif self._failed or not self._ended:
            self._notify(NOT_ASKED)
            self._keep_missing()
        elif self._control is None or self._ledger.traits.lists_by_key:
            self._note_honesty()
        else:
            control = is_control_listed(self._bucket, self._control)
            self._questions.ask([Question(control, self._take_control)])

    def _keep_missing(self) -> None:
        """Have the next scan ask again, while answers have not been lacking for too long."""
        since = self._ledger.undecided_since
        self._ledger.undecided_since = self._now if since is None else since
        self.is_undecided = self._now <= self._ledger.undecided_since + self._keep_for
        for batch in self._ledger.missing() if self.is_undecided else ():
            for each in batch:
                self._ledger.keep_unseen(each)

    def _take_control(self, is_listed: bool | StoreError | None) -> None:  # noqa: FBT001 - an answer
        if is_listed is True:
            self._ledger.traits = self._ledger.traits._replace(lists_by_key=True)
            self._note_honesty()
        elif is_listed is False:
            self._notify(NOT_BY_KEY)

    def _note_honesty(self) -> None:
        traits = self._ledger.traits
        usual = max(float(self._ledger.missing_count()), traits.usual_missing * USUAL_DECAY)
        self._ledger.traits = traits._replace(honest_scans=traits.honest_scans + 1, usual_missing=usual)

    def _ask_for_all(self) -> None:
        self._questions.ask(self._by_key(self._missing(), self._take))

    def _missing(self) -> Iterator[RememberedUpload]:
        """Yield the missing uploads that have a name; count the others."""
        for batch in map(self._watched, self._ledger.missing()):
            for each in batch:
                if each.upload is None:
                    self._count_unasked(each)
            yield from sorted((each for each in batch if each.upload), key=attrgetter("upload.key"))

    def _watched(self, batch: Iterable[RememberedUpload]) -> list[RememberedUpload]:
        return list(filter(self._is_watched, batch))

    def _by_key(
        self,
        uploads: Iterable[RememberedUpload],
        take: Callable[[Sequence[RememberedUpload], KeyListing | StoreError], None],
    ) -> Iterator[Question]:
        """Yield a question for each run of uploads with the same key."""
        for key, group in groupby(uploads, key=attrgetter("upload.key")):
            yield Question(list_by_key(self._bucket, key), partial(take, list(group)))

    def _take(self, asked: Sequence[RememberedUpload], listing: KeyListing | StoreError) -> None:
        """Count the uploads that are listed by name; forget those that are not."""
        if isinstance(listing, StoreError):
            for each in asked:
                self._count_unasked(each)
            return
        listed = {upload.upload_id: upload for upload in listing.uploads}
        for each in asked:
            if each.upload and each.upload.upload_id in listed:
                self._found += 1
                self._ledger.keep(each.row_id)
                self._sizing.add_unlisted(listed[each.upload.upload_id], each, is_seen=True)
            elif not listing.complete:
                self._count_unasked(each)

    def _count_unasked(self, missing: RememberedUpload) -> None:
        """Count an upload that could not be asked for, while hiding has not lasted too long."""
        since = self._ledger.traits.hiding_since
        if since is not None and self._now <= since + self._keep_for:
            self._unasked += 1
            kept = self._ledger.keep_unseen(missing)
            self._sizing.add_unlisted(kept.upload or Upload("", ""), kept, is_seen=False)

    def _note_hiding(self, since: float | None) -> None:
        traits = self._ledger.traits
        if since is None and self._ledger.is_unread:
            return
        if traits.hiding_since != since:
            self._ledger.traits = traits._replace(hiding_since=since, honest_scans=0)
