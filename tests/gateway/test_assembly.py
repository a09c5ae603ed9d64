"""The parts of a gateway fit together; a setting that no part can use is one clear line."""

import pytest

from underspend.config.load import load
from underspend.core.errors import ConfigError
from underspend.gateway.assembly import Frame, Stores, assembled
from underspend.gateway.clock import SystemClock
from underspend.gateway.learning import learned
from underspend.gateway.live import Live
from underspend.gateway.reaching import destinations_of
from underspend.gateway.status import Status
from underspend.pricing.catalogue import catalogue
from underspend.stores.database import open_database
from underspend.stores.ledger import SqlLedger
from underspend.stores.routing import RoutingRows


async def nobody(scope, receive, send):
    """A dashboard that is never asked."""


def gateway(folder, text=""):
    settings = load(home=folder, text=text, environ={})
    clock = SystemClock()
    status = Status(clock=clock, version="0", listening="", upstream=settings.upstream.anthropic)
    engine = open_database(settings.ledger.url)
    with (
        SqlLedger(engine, settings.paths.spool, on_fault=status.fault) as ledger,
        learned(RoutingRows(engine), settings.steps, status.fault) as learning,
    ):
        prices = catalogue()
        stores, destinations = Stores(ledger, engine, learning), destinations_of(settings, prices, {})
        return assembled(settings, Frame(clock, Live(), status), stores, prices, destinations, local=nobody)


def test_settings_reach_the_parts(tmp_path):
    app = gateway(tmp_path, "[gateway]\nbody_limit_mb = 3\n\n[subscription]\nact = true\n")
    assert app._pipeline.body_limit == 3 * 1024 * 1024
    assert app._pipeline.act_on_subscription


def test_an_unknown_time_zone_is_said_with_its_setting(tmp_path):
    with pytest.raises(ConfigError, match="Mars/Olympus"):
        gateway(tmp_path, '[report]\ntimezone = "Mars/Olympus"\n')
