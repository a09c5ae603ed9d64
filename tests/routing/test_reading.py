import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.routing.reading import READ_CHARS, cut, plain, read, signs

TEXT = st.text(max_size=6_000)


@given(TEXT)
def test_no_more_than_two_thousand_characters_are_read(text):
    assert len(cut(text)) == min(len(text), READ_CHARS)


def test_a_long_text_is_its_head_and_its_tail():
    long = "a" * 5_000 + "b" * 5_000
    assert cut(long) == "a" * 999 + "\n" + "b" * 1_000


@given(TEXT)
def test_case_and_layout_are_not_read(text):
    assert plain(text) == plain(plain(text))
    assert read(f"  {plain(text)}\n") == read(plain(text).replace(" ", "  \n\t")[: READ_CHARS * 2]) or len(text) > 600


def test_the_middle_of_a_long_text_changes_nothing():
    assert read("x " * 2_000 + "middle" + " y" * 2_000) == read("x " * 2_000 + "centre" + " y" * 2_000)


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("", 0),
        ("Find a hotel in Rome", 1),
        ("Find a hotel in Rome and book a table for two", 2),
        ("Please find a hotel. Then calculate the odds, and show the table.", 3),
        ("The book order was played", 0),
    ],
)
def test_requests_are_counted_where_they_begin(text, asks):
    assert read(text).asks == asks


def test_what_speaks_for_several_requests_is_counted():
    assert read("Find a hotel.").several == 0
    assert read("Find a hotel and another one, and then book both and tell me the price of each").several == 3


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        (r"Solve $x^2 = \frac{1}{2}$", True),
        ("It costs $5 more than the other, which was $12.", False),
        (r"\[ a + b \]", True),
    ],
)
def test_formulas_are_told_from_prices(text, counted):
    assert (read(text).typeset > 0) is counted


@pytest.mark.parametrize(
    "text", ["def f(x): pass", "```sh\nls```", "class A(B):", "from a import b", "use `a_b()` and `c_d()`"]
)
def test_programs_show(text):
    assert read(text).code > 0


@pytest.mark.parametrize("text", ["The class was full", "she may return to work", "goods for import", "def"])
def test_prose_is_no_program(text):
    assert read(text).code == 0


def test_words_are_whole_and_phrases_anywhere():
    words = signs("translation")
    assert words.found(read("Translate this"))
    assert not words.found(read("mistranslated"))
    assert signs("summarisation").count(read("A summary, a summary, the key points")) == 3


def test_the_middle_of_a_text_leads_nothing():
    text = "a " * 200 + "translate" + " b" * 200
    assert signs("translation").found(read(text))
    assert not signs("translation").leads(read(text))


_NAMED = ("several", "formal", "amount", "extraction", "code", "repair")
NAMES = st.sampled_from(_NAMED)
PHRASES = st.sampled_from([phrase for name in _NAMED for phrase in signs(name).phrases])
PIECES = st.lists(PHRASES | st.text("abcth éo,.$ ", max_size=6), max_size=12)


@given(PIECES, st.sampled_from(["", " ", "s", "."]), NAMES)
def test_a_phrase_is_found_wherever_it_stands(pieces, between, name):
    reading, wanted = read(between.join(pieces)), signs(name)
    assert wanted.is_said(reading) is any(phrase in reading.text for phrase in wanted.phrases)
    assert wanted.said(reading) == sum(phrase in reading.text for phrase in wanted.phrases)


@given(st.text(max_size=300) | st.text("ab1 ._é'$\\-", max_size=300))
def test_tokens_of_plain_ascii_are_those_of_any_text(text):
    # With a letter of another alphabet in it a text is read the slow way.
    assert read(f"{text} é").tokens == (*read(text).tokens, "é")
