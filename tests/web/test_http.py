from underspend.web.http import Request


def test_a_query_is_read_once_per_name_and_empty_values_are_none():
    scope = {"path": "/_/", "query_string": b"a=1&a=2&b=&c=%C3%A4"}
    assert Request.of(scope).query == {"a": "1", "c": "ä"}
