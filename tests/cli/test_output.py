from underspend.cli.output import fit


def test_long_names_lose_their_middle():
    assert fit("abcdefghij", 7) == "abc…hij"
    assert fit("abc", 7) == "abc"
    assert fit(None, 7, none="(no project)") == "(no project)"
