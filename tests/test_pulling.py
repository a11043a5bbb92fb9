"""The rules of a pull: what is due, since when, which page is next, and what is known at the end."""

from datetime import UTC, datetime, timedelta

import pytest

from charging.pulling import (
    Counts,
    Module,
    PageFacts,
    Pull,
    Rhythm,
    SyncState,
    after,
    again,
    begin,
    due,
    ended,
    read_again,
    tells_what_is_missing,
)

NOW = datetime(2026, 3, 30, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
RHYTHM = Rhythm(every=dict.fromkeys(Module, HOUR), full=24 * HOUR, horizon=30 * 24 * HOUR)
GOOD = SyncState(tried_at=NOW - HOUR, last_ok_at=NOW - HOUR, last_full_at=NOW - 2 * HOUR, high_water=NOW - 3 * HOUR)
LIST = "https://cpo.example/ocpi/2.2.1/locations"


def pull(**fields: object) -> Pull:
    return Pull.model_validate(
        {"connection_id": "c", "module": Module.LOCATIONS, "full": True, "started_at": NOW} | fields
    )


def page(url: str = LIST, next_url: str | None = None, total: int | None = None, is_list: bool = True) -> PageFacts:
    return PageFacts(url=url, next_url=next_url, total=total, is_list=is_list)


class TestWhatIsDue:
    def test_a_module_that_never_succeeded_is_due(self) -> None:
        assert due(Module.CDRS, None, RHYTHM, NOW)
        assert due(Module.CDRS, SyncState(tried_at=NOW, last_error="HTTP 500"), RHYTHM, NOW)

    def test_one_that_was_tried_a_moment_ago_is_not(self) -> None:
        assert due(Module.CDRS, GOOD, RHYTHM, NOW)
        assert not due(Module.CDRS, GOOD.model_copy(update={"tried_at": NOW - HOUR / 2}), RHYTHM, NOW)


class TestSinceWhen:
    def test_news_begin_half_an_hour_before_the_newest_object_seen(self) -> None:
        news = begin("c", Module.LOCATIONS, GOOD, RHYTHM, NOW)
        assert (news.full, news.date_from) == (False, NOW - 3 * HOUR - timedelta(minutes=30))

    def test_the_first_pull_and_one_a_day_are_of_everything(self) -> None:
        yesterday = GOOD.model_copy(update={"last_full_at": NOW - 24 * HOUR})
        for state in (None, yesterday):
            whole = begin("c", Module.LOCATIONS, state, RHYTHM, NOW)
            assert (whole.full, whole.date_from) == (True, None)

    def test_history_has_a_horizon(self) -> None:
        assert begin("c", Module.SESSIONS, GOOD, RHYTHM, NOW, full=True).date_from == NOW - RHYTHM.horizon


class TestPages:
    def test_the_link_leads_on_until_there_is_none(self) -> None:
        first = after(pull(), page(next_url=f"{LIST}?offset=2", total=3), Counts(seen=2), NOW)
        assert (first.url, first.is_over) == (f"{LIST}?offset=2", False)
        last = after(first, page(f"{LIST}?offset=2", total=3), Counts(seen=1), None)
        assert (last.is_over, last.is_whole, last.counts.seen, last.high_water) == (True, True, 3, NOW)

    @pytest.mark.parametrize("length", [1, 2, 3, 7, 50])
    def test_links_that_go_round_come_to_an_end(self, length: int) -> None:
        circling = pull()
        for number in range(5 * length + 10):
            next_url = f"{LIST}?page={(number + 1) % length}"
            circling = after(circling, page(circling.url or LIST, next_url), Counts(seen=1), None)
            if circling.is_over:
                break
        assert circling.is_over
        assert not tells_what_is_missing(circling)

    def test_a_list_that_became_shorter_is_read_again_from_so_much_earlier(self) -> None:
        third = pull(url=f"{LIST}?offset=200&limit=100", pages=2, total=500)
        facts = page(str(third.url), total=498)
        earlier = read_again(third, facts)
        assert earlier == f"{LIST}?offset=198&limit=100"
        moved = again(third, facts, str(earlier))
        assert read_again(moved, page(str(earlier), total=498)) is None

    @pytest.mark.parametrize(("url", "total"), [(f"{LIST}?cursor=x", 3), (f"{LIST}?offset=4", 5), (LIST, None)])
    def test_other_pages_are_not(self, url: str, total: int | None) -> None:
        assert read_again(pull(url=url, pages=1, total=5), page(url, total=total)) is None

    @pytest.mark.parametrize(
        ("facts", "seen"), [(page(total=5), 4), (page(is_list=False), 1), (page(), 0), (page(next_url="x"), 1)]
    )
    def test_only_a_whole_list_tells_what_is_missing(self, facts: PageFacts, seen: int) -> None:
        assert not tells_what_is_missing(after(pull(), facts, Counts(seen=seen), None))
        assert tells_what_is_missing(after(pull(), page(total=5), Counts(seen=5), None))


class TestTheEnd:
    def test_only_a_pull_that_came_to_its_end_moves_the_high_water(self) -> None:
        newer = pull(full=False, high_water=NOW - HOUR)
        assert ended(newer, GOOD).high_water == NOW - HOUR
        failed = ended(newer.model_copy(update={"error": "HTTP 500"}), GOOD)
        assert (failed.high_water, failed.last_ok_at, failed.last_error) == (
            GOOD.high_water,
            GOOD.last_ok_at,
            "HTTP 500",
        )
        assert failed.tried_at == NOW

    def test_an_object_from_the_future_does_not_hide_those_after_it(self) -> None:
        assert ended(pull(full=False, high_water=NOW + 999 * HOUR), GOOD).high_water == NOW

    def test_no_news_leave_the_high_water_where_it_was(self) -> None:
        after_news = ended(pull(full=False), GOOD)
        assert (after_news.high_water, after_news.last_ok_at) == (GOOD.high_water, NOW)
        assert after_news.last_full_at == GOOD.last_full_at
