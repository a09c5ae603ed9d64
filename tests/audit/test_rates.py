from audit.histories import OPUS, START, history, line, reply
from underspend.audit.rates import FIVE_MINUTES, ONE_HOUR, CatalogueRates, lifetime_written
from underspend.core.advisor import RateSource
from underspend.core.usage import Lane


def test_rates_are_the_catalogues_by_model_lane_and_prompt():
    rates = CatalogueRates(history())
    assert rates.rate(OPUS, Lane.CACHE_READ, START, 1000) == 200_000
    assert rates.rate("claude-haiku-5-5", Lane.INPUT, START, 150_000) == 500_000
    assert rates.rate("claude-unheard-of", Lane.INPUT, START, 0) is None
    for model in (OPUS, "claude-haiku-5-5", "claude-unheard-of"):
        found = tuple(rates.rates(model, START, 150_000))
        assert found == RateSource.rates(rates, model, START, 150_000)
        assert found == tuple(rates.rate(model, lane, START, 150_000) for lane in Lane)


def test_a_reply_that_wrote_for_an_hour_lives_for_an_hour():
    assert lifetime_written(reply("a", usage=(0, 5, 5, 0, 0))) == ONE_HOUR
    assert lifetime_written(reply("a", usage=(0, 5, 0, 0, 0))) == FIVE_MINUTES
    assert lifetime_written(reply("a", usage=(5, 0, 0, 5, 0))) is None


def test_a_reply_that_only_read_lives_as_long_as_what_was_written_last():
    read = reply("r", START + 1, (0, 0, 0, 9, 0))
    rates = CatalogueRates(
        history(line(reply("w", usage=(0, 0, 9, 0, 0)), read), line(reply("x", usage=(1, 0, 0, 0, 0))))
    )
    assert rates.ttl_micros(read) == ONE_HOUR
    assert rates.ttl_micros(reply("x", usage=(1, 0, 0, 0, 0))) == FIVE_MINUTES
    assert rates.ttl_micros(reply("nobody knows")) == FIVE_MINUTES
