from hypothesis import given
from hypothesis import strategies as st

from audit.histories import START, history, line, reply
from underspend.audit.bills import price
from underspend.audit.numbered import Numbered, number_of, packed, unpacked


def test_a_reply_is_known_again():
    billed = price(history(line(reply("m", usage=(1000, 0, 0, 0, 0), request_id="r"), reply("n", START + 1))))
    raw = packed(billed)
    assert len(raw) == 2 * 32
    assert list(unpacked([raw, b""])) == [
        Numbered(number_of("m"), number_of("r"), START, 4 * 10**9),
        Numbered(number_of("n"), 0, START + 1, 0),
    ]


def test_no_id_has_the_number_of_none():
    assert number_of(None) == number_of("") == 0


@given(st.lists(st.text(min_size=1), unique=True))
def test_any_ids(names):
    found = list(unpacked([packed(price(history(line(*map(reply, names)))))]))
    assert {each.message for each in found} == {number_of(name) for name in names}


def test_numbers_beyond_all_measure_are_cut():
    (found,) = unpacked([packed(price(history(line(reply("m", at=-5)))))])
    assert found.at == 0
