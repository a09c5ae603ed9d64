"""A budget that blocks is not passed: real gateways, many clients who leave, kills and restarts."""

from budget_hammer import CAP, hammer


def test_two_gateways_with_32_clients_each_do_not_pass_five_dollars(tmp_path):
    report = hammer(tmp_path, 8, kill_every=1.5)
    assert report.problems == [], report
    assert 0 < report.spent <= CAP
    assert report.highest <= CAP
    assert report.kills >= 1
    assert report.answers["whole"] + report.answers["left"] > 50
