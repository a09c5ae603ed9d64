import threading

from integrations.alerts.servers import OK, T0, alert, http
from underspend.config.alerts import AlertSettings, alerts_from
from underspend.integrations.alerts.opening import open_alerts
from underspend.integrations.alerts.record import Record, State


class Clock:
    def now(self):
        return T0


def opened(said, folder, **environ):
    return open_alerts(said, folder, Clock(), environ=environ, on_fault=lambda *_: None, look=lambda _: [])


def test_what_is_told_reaches_the_places_of_the_settings_and_is_written_down(tmp_path):
    with http(OK) as server:
        table = {"name": "h", "kind": "webhook", "url": f"http://127.0.0.1:{server.port}/", "secret": "env:S"}
        with opened(alerts_from({"alerts": {"to": [table]}}, "here"), tmp_path, S="s") as deliveries:
            deliveries.tell(alert())
            server.wait(1)
    assert [row.state for row in Record(tmp_path).read()] == [State.SENT]


def test_without_a_place_nothing_is_started(tmp_path):
    before = threading.active_count()
    with opened(AlertSettings(), tmp_path) as deliveries:
        assert threading.active_count() == before
        deliveries.tell(alert())
        assert deliveries.snapshot()["places"] == []
    assert list(tmp_path.iterdir()) == []
