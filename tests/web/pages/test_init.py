import inspect

from underspend.web.pages import PAGES


def test_every_page_has_a_path_of_its_own_and_is_awaited():
    starts = [start for start, _ in PAGES]
    assert len(set(starts)) == len(starts)
    assert all(start.endswith("/") for start in starts)
    assert all(inspect.iscoroutinefunction(page) for _, page in PAGES)
