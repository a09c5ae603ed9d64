import msgspec

from underspend.core.quota import Share, Window


def test_a_reading_is_one_line_of_json():
    share = Share(window=Window.SEVEN_DAYS, at=1, used_permille=125, resets_at=2, source="who")
    raw = msgspec.json.encode(share)
    assert raw == b'{"window":"seven_day","at":1,"used_permille":125,"resets_at":2,"source":"who"}'
    assert msgspec.json.decode(raw, type=Share) == share
