from underspend.web.templating import static, static_url


def test_static_files_are_cached_under_an_address_that_changes_with_them():
    assert static_url("style.css").startswith("/_/static/style.css?v=")
    found = static("live.js")
    assert found.content_type == "text/javascript; charset=utf-8"
    assert "immutable" in found.headers["cache-control"]


def test_only_files_of_the_folder_are_served():
    assert static("../app.py") is None
    assert static("missing.css") is None
