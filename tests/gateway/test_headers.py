from underspend.gateway.headers import as_mapping, first, for_model, forwarded, returned


def test_end_to_end_headers_go_on_in_order_with_repeats():
    sent = [(b"x-b", b"1"), (b"x-a", b"2"), (b"x-b", b"3"), (b"content-length", b"4"), (b"x-api-key", b"k")]
    assert forwarded(sent) == sent


def test_hop_by_hop_headers_and_those_connection_names_end_here():
    sent = [
        (b"connection", b"close, X-Hop"),
        (b"x-hop", b"1"),
        (b"te", b"trailers"),
        (b"upgrade", b"h2c"),
        (b"a", b"1"),
    ]
    assert forwarded(sent) == [(b"a", b"1")]
    assert returned(
        [(b"Connection", b"x-hop"), (b"X-Hop", b"1"), (b"Transfer-Encoding", b"chunked"), (b"A", b"1")]
    ) == [(b"A", b"1")]


def test_host_expect_and_ours_are_not_forwarded():
    sent = [(b"host", b"localhost"), (b"expect", b"100-continue"), (b"x-underspend-project", b"p"), (b"a", b"1")]
    assert forwarded(sent) == [(b"a", b"1")]


def test_a_changed_body_gets_a_new_length():
    assert forwarded([(b"content-length", b"9"), (b"a", b"1")], body_changed=True) == [(b"a", b"1")]


def test_reading():
    assert first([(b"Request-Id", b"r"), (b"request-id", b"s")], b"request-id") == "r"
    assert first([], b"x") is None
    assert as_mapping([(b"a", b"\xe9"), (b"a", b"2")]) == {"a": "2"}


def test_a_beta_that_a_model_refuses_is_left_out_for_it():
    long = "context-1m-2025-08-07"
    sent = [(b"anthropic-beta", f"{long},other-1".encode()), (b"a", b"1")]
    assert for_model(sent, "claude-haiku-4-5") == [(b"anthropic-beta", b"other-1"), (b"a", b"1")]
    assert for_model([(b"anthropic-beta", long.encode())], "claude-haiku-4-5") == []
    assert for_model(sent, "claude-opus-5-5") == sent
