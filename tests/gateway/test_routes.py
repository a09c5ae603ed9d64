import pytest

from underspend.gateway.routes import classify, target_of


@pytest.mark.parametrize(
    ("method", "path", "endpoint", "target", "project"),
    [
        ("POST", "/v1/messages", "messages", "/v1/messages", None),
        ("POST", "/p/a%20b/v1/messages", "messages", "/v1/messages", "a%20b"),
        ("POST", "/p/x//v1/messages/", "messages", "//v1/messages/", "x"),
        ("POST", "/v1/messages/count_tokens", "count_tokens", "/v1/messages/count_tokens", None),
        ("GET", "/v1/messages", "other", "/v1/messages", None),
        ("POST", "/v1/messages/batches", "batches", "/v1/messages/batches", None),
        ("GET", "/p/x/v1/messages/batches/b1/results", "batch_results", "/v1/messages/batches/b1/results", "x"),
        ("GET", "/v1/models", "other", "/v1/models", None),
        ("POST", "/v1/files", "other", "/v1/files", None),
        ("POST", "/v1/anything/new", "post", "/v1/anything/new", None),
        ("HEAD", "/", "other", "/", None),
        ("GET", "/p/x", "other", "/", "x"),
        ("GET", "/pictures", "other", "/pictures", None),
    ],
)
def test_paths(method, path, endpoint, target, project):
    route = classify(method, path)
    assert (route.endpoint, route.target, route.project) == (endpoint, target, project)


def test_whatever_could_be_billed_by_its_reply_goes_through_the_books():
    assert [classify("POST", path).call for path in ("/v1/messages", "/v1/new", "/v1/files")] == [True, True, False]


def test_the_query_is_kept():
    assert target_of(classify("POST", "/p/x/v1/messages"), b"beta=true") == "/v1/messages?beta=true"
    assert target_of(classify("GET", "/v1/models"), b"") == "/v1/models"
