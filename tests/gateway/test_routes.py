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
        ("GET", "/v1/models", "models", "/v1/models", None),
        ("POST", "/v1/files", "other", "/v1/files", None),
        ("POST", "/v1/anything/new", "post", "/v1/anything/new", None),
        ("GET", "/v1/models/claude-x", "models", "/v1/models/claude-x", None),
        ("POST", "/v1/models", "post", "/v1/models", None),
        ("POST", "/v1/chat/completions", "chat", "/v1/chat/completions", None),
        ("POST", "/p/x/v1/responses/", "responses", "/v1/responses/", "x"),
        ("GET", "/v1/responses/resp_1", "other", "/v1/responses/resp_1", None),
        ("POST", "/v1/embeddings", "embeddings", "/v1/embeddings", None),
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


@pytest.mark.parametrize(
    ("path", "said", "target", "prefix"),
    [
        ("/openai/v1/models", "openai", "/v1/models", "/openai"),
        ("/anthropic/v1/messages", "anthropic", "/v1/messages", "/anthropic"),
        ("/p/x/openai/v1/chat/completions", "openai", "/v1/chat/completions", "/p/x/openai"),
        ("/openai/deployments", None, "/openai/deployments", ""),
        ("/openaix/v1/models", None, "/openaix/v1/models", ""),
        ("/v1/messages", None, "/v1/messages", ""),
    ],
)
def test_a_path_may_say_its_dialect_before_all_else(path, said, target, prefix):
    route = classify("GET", path)
    assert (route.said, route.target, route.prefix) == (said, target, prefix)


def test_each_path_has_its_dialect():
    paths = (
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/embeddings",
        "/x",
    )
    spoken = [classify("POST", path).dialect for path in paths]
    assert spoken == ["anthropic", "anthropic", "openai", "responses", "openai", "anthropic"]
