from advisors.histories_by_hand import around, history, line
from underspend.advisors.client_settings import settings_files


def test_keys_env_and_the_sessions_they_held_for():
    here, there = line(directory="/home/u/p"), line(directory="/elsewhere")
    past = history(here, there)
    files = {
        "/home/u/p/.claude/settings.json": {"model": "opus", "env": {"A": True, "B": 1, "C": "off"}},
        "/cfg/settings.json": {"env": "nonsense"},
    }
    everywhere, mine = settings_files(past, around(past, settings=files))
    assert (mine.path, mine.keys["model"]) == ("/home/u/p/.claude/settings.json", "opus")
    assert mine.env == {"A": "true", "B": "1", "C": "off"}
    assert (mine.on("A"), mine.on("B"), mine.on("C"), mine.on("D")) == (True, True, False, False)
    assert mine.timelines == [here]
    assert everywhere.env == {}
    assert everywhere.timelines == [here, there]
