import asyncio

from reports.knowledge_rows import keep, learned
from reports.ledger_rows import add_decision
from underspend.web.http import Request
from underspend.web.pages.routes import routes_page


def page(site):
    response = asyncio.run(routes_page(site, Request(path="/_/routes", query={})))
    assert response.status == 200
    return response.body.decode()


def test_nothing_known_yet_says_where_it_comes_from(site):
    assert "No outcomes are known yet" in page(site)


def test_what_is_known_is_shown(site):
    keep(site.engine, learned(drawn=600))
    add_decision(site.engine, "aaaa", strategy="auto_model", detail="model → <b>", applied=False)
    html = page(site)
    assert "code generation" in html
    assert "<b>certified</b>" in html
    assert "model → &lt;b&gt;" in html
    assert "noted" in html
