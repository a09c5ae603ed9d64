from underspend.web.pages.problem import problem


def test_the_message_is_escaped_and_the_way_back_is_there(site):
    found = problem(site, 500, "<script>")
    assert found.status == 500
    assert b"&lt;script&gt;" in found.body
    assert b'<a href="/_/">To the overview</a>' in found.body
