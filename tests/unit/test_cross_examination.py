"""Design rules 4 and 9: what a bucket's listing says is checked by name."""

from dataclasses import replace

import pytest
from fakes import BUCKET, DAY, NOW, REFUSED, Clock, error, upload
from unit.fake_scan import scan
from unit.lying_store import LyingStore

from exporter.model.errors import Reason, StoreError
from exporter.model.uploads import Upload
from exporter.scan.examination.cross_examination import EDGES_SKIPPED, LISTED_AGAIN, PREFIX_BROKEN
from exporter.scan.examination.hidden import MAX_WITNESSES, NOT_ASKED, NOT_BY_KEY
from exporter.state.database import BucketName, StateDatabase
from exporter.state.ledger import Ledger
from exporter.state.rows import LedgerRows

KEEP_FOR = 24 * 3600.0
INTERVAL = 300.0


def some(count, age=DAY):
    return [upload(n, age=age) for n in range(count)]


def ids(uploads):
    return {each.upload_id for each in uploads}


class Watch:
    """One bucket scanned again and again, with a ledger, an interval apart."""

    def __init__(self, store, **settings):
        self.store, self.ledger, self.clock, self.settings = store, Ledger(), Clock(), settings

    def scan(self, **changes):
        self.clock.now += INTERVAL
        return scan(self.store, self.ledger, self.clock, **self.settings | changes)

    def scan_with_failing_parts(self):
        self.store.parts_error = error(Reason.SERVER_ERROR, 500)
        self.scan()
        self.store.parts_error = None


class TestHidden:
    def test_uploads_that_a_restarted_server_no_longer_lists_stay_in_every_number(self):
        store = LyingStore(some(40))
        watch = Watch(store)
        before = watch.scan().summary
        store.hidden = ids(store.uploads)
        for _ in range(3):
            summary = watch.scan().summary
            assert replace(summary, unlisted=0, age_sum=0.0) == replace(before, age_sum=0.0)
            assert (summary.unlisted, summary.complete) == (40, False)

    def test_those_that_the_store_cleans_up_afterwards_are_forgotten(self):
        store = LyingStore(some(40))
        watch = Watch(store)
        watch.scan()
        store.hidden = ids(store.uploads)
        watch.scan()
        del store.uploads[10:]
        assert (watch.scan().summary.uploads, watch.scan().summary.unlisted) == (10, 10)
        store.uploads.clear()
        assert [watch.scan().summary.uploads for _ in range(2)] == [0, 0]
        assert watch.scan().summary.complete

    def test_an_answer_that_is_empty_now_and_then_is_asked_for_once_more_and_told(self):
        store = LyingStore(some(300), empty_listings={2})
        watch = Watch(store)
        watch.scan()
        before = store.pages
        result = watch.scan()
        assert (result.summary.uploads, result.summary.unlisted) == (300, 0)
        assert result.notices == (LISTED_AGAIN,)
        assert store.pages - before == 2 + MAX_WITNESSES - 1

    def test_some_hidden_among_those_that_ended_are_found(self):
        store = LyingStore(some(9))
        watch = Watch(store)
        watch.scan()
        store.hidden = {"id-8"}
        del store.uploads[1:5]
        assert (watch.scan().summary.uploads, watch.scan().summary.unlisted) == (5, 1)

    def test_an_honest_store_is_asked_for_ten_and_then_for_one(self):
        store = LyingStore(some(200))
        watch = Watch(store)
        watch.scan()
        asked = []
        for _ in range(12):
            del store.uploads[:12]
            before = store.pages
            assert watch.scan().summary.complete
            asked.append(store.pages - before - 1)
        assert (max(asked), asked[0], asked[-1]) == (MAX_WITNESSES, MAX_WITNESSES, 1)

    def test_a_listed_upload_that_has_just_ended_does_not_prove_that_names_are_useless(self):
        store = LyingStore(some(5))
        watch = Watch(store)
        watch.scan()
        store.uploads.pop()
        store.before_page = lambda number: number == 2 and store.uploads.pop(0)
        result = watch.scan()
        assert (store.asked_by_name["key-0"], result.notices) == (1, ())

    def test_where_unusually_many_are_missing_ten_are_asked_for_again(self):
        store = LyingStore(some(400))
        watch = Watch(store)
        watch.scan()
        for _ in range(12):
            del store.uploads[:2]
            watch.scan()
        before = store.pages
        del store.uploads[:100]
        watch.scan()
        assert store.pages - before == 1 + MAX_WITNESSES

    def test_a_changed_prefix_hides_nothing(self):
        store = LyingStore(some(30))
        watch = Watch(store)
        watch.scan()
        summary = watch.scan(bucket=replace(BUCKET, prefix="key-2")).summary
        assert (summary.uploads, summary.unlisted) == (11, 0)

    def test_a_store_that_lists_nothing_by_name_proves_nothing_by_it(self):
        store = LyingStore(some(5), knows_no_prefix=True)
        watch = Watch(store)
        watch.scan()
        store.hidden = {"id-4"}
        assert watch.scan().notices == (NOT_BY_KEY,)

    def test_nothing_is_asked_by_name_while_nothing_is_missing(self):
        store = LyingStore(some(5))
        watch = Watch(store)
        for _ in range(3):
            watch.scan()
        assert store.asked_by_name == {"": 3}

    def test_one_that_has_ended_though_its_parts_can_still_be_listed_is_not_hidden(self):
        store = LyingStore(some(5))
        watch = Watch(store)
        watch.scan()
        store.zombies = {"id-4"}
        store.uploads.pop()
        assert (watch.scan().summary.uploads, watch.scan().summary.unlisted) == (4, 0)

    def test_uploads_whose_parts_are_refused_are_not_forgotten_either(self):
        store = LyingStore(some(10), parts_error=REFUSED)
        watch = Watch(store)
        watch.scan()
        store.hidden = ids(store.uploads)
        summary = watch.scan().summary
        assert (summary.uploads, summary.unlisted, summary.unsized) == (10, 10, 10)

    def test_those_that_cannot_be_asked_for_stay_as_long_as_values_are_kept(self):
        store = LyingStore(some(30))
        watch = Watch(store)
        watch.scan()
        store.hidden = ids(store.uploads)
        watch.scan()
        store.by_name_error = error(Reason.SERVER_ERROR, 500)
        summary = watch.scan().summary
        assert (summary.uploads, summary.unlisted, summary.bytes) == (30, 30, 300)
        watch.clock.now += KEEP_FOR + INTERVAL
        assert watch.scan().summary.uploads == 0

    def test_those_whose_names_are_not_kept_stay_too_without_an_age(self):
        store = LyingStore(some(10))
        watch = Watch(store)
        database = StateDatabase(max_names=5)
        watch.ledger = Ledger(LedgerRows(database, BucketName("t", "s3", "", "", "media")))
        watch.scan()
        store.hidden = ids(store.uploads)
        summary = watch.scan().summary
        assert (summary.uploads, summary.unlisted, summary.undated) == (10, 10, 5)
        watch.clock.now += KEEP_FOR + INTERVAL
        assert watch.scan().summary.uploads == 5

    @pytest.mark.parametrize("ended", [0, 8])
    def test_where_a_witness_cannot_be_asked_for_none_is_forgotten(self, ended):
        store = LyingStore(some(9))
        watch = Watch(store)
        watch.scan()
        store.hidden = ids(store.uploads)
        del store.uploads[:ended]
        store.by_name_error = error(Reason.SERVER_ERROR, 500)
        for _ in range(2):
            result = watch.scan()
            assert (result.notices, result.summary.complete) == ((NOT_ASKED,), False)
        store.by_name_error = None
        assert watch.scan().summary.uploads == 9 - ended

    def test_where_witnesses_can_no_longer_be_asked_for_they_are_forgotten_in_the_end(self):
        store = LyingStore(some(3), by_name_error=error(Reason.SERVER_ERROR, 500))
        watch = Watch(store)
        watch.scan()
        for hidden in ({"id-0"}, {"id-0", "id-1"}):
            store.hidden = hidden
            assert not watch.scan().summary.complete
            watch.clock.now += KEEP_FOR
            result = watch.scan()
            assert (result.notices, result.summary.complete) == ((NOT_ASKED,), True)
            assert watch.scan().notices == ()

    def test_uploads_that_could_not_be_asked_for_their_parts_are_asked_for_by_name(self):
        store = LyingStore(some(3))
        watch = Watch(store)
        watch.scan()
        watch.clock.now += 2 * DAY
        watch.scan_with_failing_parts()
        store.hidden = ids(store.uploads)
        assert watch.scan().summary.unlisted == 3

    def test_a_request_budget_also_holds_for_questions_by_name(self):
        store = LyingStore(some(50))
        watch = Watch(store)
        watch.scan()
        store.hidden = ids(store.uploads)
        watch.scan()
        before = store.pages
        summary = watch.scan(max_requests=20).summary
        assert (summary.uploads, summary.unlisted) == (50, 50)
        assert store.pages - before <= 20


class TestDenied:
    def test_ghosts_are_in_no_other_number_than_theirs(self):
        store = LyingStore(some(10), ghosts=[upload(n, age=30 * DAY) for n in range(10, 124)])
        watch = Watch(store)
        results = [watch.scan().summary for _ in range(3)]
        assert [each.uploads for each in results] == [10, 10, 10]
        assert [each.denied for each in results[1:]] == [114, 114]
        assert [each.oldest_initiated for each in results] == [NOW - DAY] * 3
        assert not results[-1].complete

    def test_a_few_ghosts_are_found_as_well(self):
        store = LyingStore(some(30), ghosts=[upload(n, age=30 * DAY) for n in range(30, 37)])
        watch = Watch(store)
        results = [watch.scan().summary for _ in range(3)]
        assert [(each.uploads, each.denied) for each in results] == [(30, 0), (30, 7), (30, 7)]

    @pytest.mark.parametrize(
        "without_answer", [Watch.scan_with_failing_parts, lambda watch: watch.scan(max_requests=1)]
    )
    def test_a_scan_without_an_answer_forgets_no_ghost(self, without_answer):
        store = LyingStore(some(30), ghosts=[upload(99)])
        watch = Watch(store)
        for _ in range(3):
            watch.scan()
        without_answer(watch)
        assert watch.scan().summary.denied == 1

    def test_a_known_ghost_costs_one_request_a_scan(self):
        store = LyingStore(some(10), ghosts=[upload(99)])
        watch = Watch(store)
        for _ in range(3):
            watch.scan()
        before = store.asked["id-99"], store.pages
        watch.scan()
        assert (store.asked["id-99"] - before[0], store.pages - before[1]) == (1, 1)

    def test_in_a_one_shot_run_they_are_found_by_listing_once_more(self):
        store = LyingStore(some(10), ghosts=[upload(n) for n in range(10, 13)])
        summary = scan(store, relists_gone=True).summary
        assert (summary.uploads, summary.denied, summary.unsized) == (10, 3, 0)

    def test_in_a_one_shot_run_one_that_really_ended_is_left_out(self):
        store = LyingStore(some(10))
        store.before_parts = lambda asked: store.uploads and store.uploads.pop()
        summary = scan(store, relists_gone=True, concurrency=1).summary
        assert (summary.denied, summary.unsized) == (0, 0)

    @pytest.mark.parametrize("count", [1, 2, 9, 10])
    @pytest.mark.parametrize("one_shot", [False, True])
    def test_uploads_that_are_listed_by_name_are_unsized_from_the_first_scan_on(self, count, one_shot):
        store = LyingStore(some(count))
        store.without_parts = ids(store.uploads)
        watch = Watch(store)
        for _ in range(2):
            result = watch.scan(relists_gone=one_shot)
            assert (result.summary.uploads, result.summary.unsized, result.summary.denied) == (
                count,
                count,
                0,
            )
            assert result.warning == f"the store lists {count} keys that it then does not know"
            assert result.unknown_key == "key-0"

    def test_a_key_is_asked_for_without_outer_blanks_too(self):
        spaced = Upload("\n key \n", "\n id \n", NOW - DAY)
        store = LyingStore([Upload("key", "id", NOW - DAY)], hidden={"id"}, ghosts=[spaced])
        summary = scan(store, relists_gone=True).summary
        assert (summary.uploads, summary.unsized, summary.denied) == (1, 1, 0)

    def test_a_key_of_blanks_only_is_not_asked_for_as_the_whole_bucket(self):
        store = LyingStore(some(3), ghosts=[Upload(" ", "id-9", NOW - DAY)])
        assert scan(store, relists_gone=True).summary.denied == 1

    @pytest.mark.parametrize("one_shot", [False, True])
    def test_a_key_in_which_the_store_replaced_a_character_is_unsized_at_once(self, one_shot):
        store = LyingStore(some(20), ghosts=[Upload("ctl\ufffdx", "id-x", NOW - DAY)])
        result = scan(store, relists_gone=one_shot)
        assert (result.summary.uploads, result.summary.unsized) == (21, 1)
        assert result.unknown_key == "ctl\ufffdx"


class TestPrefix:
    BUCKET = replace(BUCKET, prefix="a/")

    def uploads(self):
        return [Upload(key, f"id-{key}", NOW - DAY) for key in ("a/1", "a/2", "ab", "b/1", "b/2", "b/3")]

    def test_where_the_store_knows_whole_keys_only_all_is_listed_and_filtered(self):
        store = LyingStore(self.uploads(), knows_whole_keys_only=True)
        result = scan(store, bucket=self.BUCKET)
        assert (result.summary.uploads, result.summary.bytes) == (2, 20)
        assert result.notices == (PREFIX_BROKEN,)

    def test_an_upload_of_just_that_key_does_not_hide_it(self):
        store = LyingStore([*self.uploads(), Upload("a/", "id", NOW - DAY)], knows_whole_keys_only=True)
        assert scan(store, bucket=self.BUCKET).summary.uploads == 3

    def test_an_ignored_prefix_leaves_the_others_out_and_is_told(self):
        store = LyingStore(self.uploads(), ignores_prefix=True)
        result = scan(store, bucket=self.BUCKET)
        assert result.summary.uploads == 2
        assert result.notices == ("4 listed uploads are outside the prefix: they are left out",)

    def test_an_empty_prefix_is_checked_once_a_day(self):
        store = LyingStore(self.uploads()[2:])
        watch = Watch(store, bucket=self.BUCKET)
        for _ in range(3):
            assert watch.scan().summary.uploads == 0
        watch.clock.now += DAY
        watch.scan()
        assert store.asked_by_name == {"a/": 4, "": 2, "b/": 2}

    @pytest.mark.parametrize("others", [0, 3])
    def test_an_upload_that_begins_later_is_found_at_once(self, others):
        store = LyingStore(self.uploads()[3 : 3 + others], knows_whole_keys_only=True)
        watch = Watch(store, bucket=self.BUCKET)
        assert watch.scan().summary.uploads == 0
        store.uploads += self.uploads()[:1]
        assert watch.scan().summary.uploads == 1

    @pytest.mark.parametrize("count", [1, 30])
    def test_a_store_that_knows_folders_only_is_found_out_wherever_its_uploads_are(self, count):
        others = [Upload(f"a/{n:03}", f"id-{n}", NOW - DAY) for n in range(count)]
        own = [Upload(f"db/2024-{n}", f"db-{n}", NOW - DAY) for n in range(3)]
        store = LyingStore([*others, *own], page_size=10, knows_folders_only=True)
        assert scan(store, bucket=replace(BUCKET, prefix="db/2024-")).summary.uploads == 3

    def test_uploads_outside_the_prefix_do_not_prove_that_it_is_heeded(self):
        store = LyingStore(self.uploads(), listed_instead={"a/": "b/"})
        assert scan(store, bucket=self.BUCKET).summary.uploads == 2

    def test_it_is_not_checked_where_uploads_are_listed_under_it(self):
        store = LyingStore(self.uploads())
        scan(store, bucket=self.BUCKET)
        assert store.asked_by_name == {"a/": 1}

    def test_what_is_known_is_remembered_for_a_day(self):
        store = LyingStore(self.uploads(), knows_whole_keys_only=True)
        watch = Watch(store, bucket=self.BUCKET)
        watch.scan()
        store.asked_by_name.clear()
        result = watch.scan()
        assert (result.summary.uploads, result.notices) == (2, (PREFIX_BROKEN,))
        assert store.asked_by_name == {"": 1}


class TestEdges:
    def uploads(self):
        return [Upload(key, upload_id, NOW - DAY) for key in "ab" for upload_id in (f"{key}1", f"{key}2")]

    def test_uploads_lost_where_a_page_ends_are_found(self):
        store = LyingStore(self.uploads(), page_size=1, ignores_id_marker=True)
        result = scan(store)
        assert (result.summary.uploads, result.notices) == (4, (EDGES_SKIPPED,))

    def test_what_is_known_is_remembered(self):
        watch = Watch(LyingStore(self.uploads(), page_size=1, ignores_id_marker=True))
        assert [watch.scan().summary.uploads for _ in range(3)] == [4, 4, 4]

    def test_longer_keys_lost_where_a_page_ends_are_found(self):
        keys = ("log-1", "log-10", "log-11", "log-2")
        uploads = [Upload(key, f"f{number}", NOW - DAY) for number, key in enumerate(keys)]
        result = scan(LyingStore(uploads, page_size=1, joins_markers=True))
        assert (result.summary.uploads, result.notices) == (4, (EDGES_SKIPPED,))

    def test_later_scans_ask_for_one_edge(self):
        store = LyingStore(some(30), page_size=10)
        watch = Watch(store)
        watch.scan()
        store.asked_by_name.clear()
        watch.scan()
        assert sum(count for prefix, count in store.asked_by_name.items() if prefix) == 1

    def test_more_uploads_of_one_key_than_the_store_lists_are_an_error(self):
        uploads = [Upload("k", f"{n:04}", NOW - DAY) for n in range(25)]
        store = LyingStore(uploads, page_size=10, page_size_by_name=10, ignores_id_marker=True)
        with pytest.raises(StoreError, match="more than 10 uploads of one key"):
            scan(store)

    @pytest.mark.parametrize("initiated", [NOW - 1.0, None])
    def test_one_that_began_meanwhile_is_no_loss_whatever_its_date_says(self, initiated):
        store = LyingStore(self.uploads(), page_size=1)
        store.before_page = lambda number: number == 3 and store.uploads.append(Upload("a", "a0", initiated))
        result = scan(store)
        assert (result.summary.uploads, result.notices) == (5, ())

    def test_an_upload_initiated_meanwhile_is_no_loss(self):
        store = LyingStore(self.uploads(), page_size=1)
        late = Upload("a", "a0", NOW + 1.0)
        store.before_page = lambda number: number == 3 and store.uploads.append(late)
        result = scan(store)
        assert (result.summary.uploads, result.notices) == (4, ())


@pytest.mark.parametrize("parts", ["always", "never"])
def test_nothing_is_asked_by_name_without_remembered_uploads(parts):
    store = LyingStore(some(30), page_size=10)
    watch = Watch(store, parts=parts)
    watch.scan()
    del store.uploads[:5]
    watch.scan()
    assert set(store.asked_by_name) == {""}
