import asyncio

from underspend.gateway.live import Live


async def take(live, count, ready):
    rows = []
    stream = live.subscribe()
    pending = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    ready.set()
    rows.append(await pending)
    while len(rows) < count:
        rows.append(await anext(stream))
    await stream.aclose()
    return rows


def test_every_listener_hears_every_row_and_leaves_no_trace():
    async def play():
        live = Live()
        ready = [asyncio.Event(), asyncio.Event()]
        tasks = [asyncio.ensure_future(take(live, 2, event)) for event in ready]
        await asyncio.gather(*(event.wait() for event in ready))
        assert live.heard
        live.publish({"n": 1})
        live.publish({"n": 2})
        assert await asyncio.gather(*tasks) == [[{"n": 1}, {"n": 2}]] * 2
        assert not live.heard

    asyncio.run(play())


def test_a_slow_listener_loses_the_oldest_and_nobody_waits():
    async def play():
        live = Live()
        ready = asyncio.Event()
        task = asyncio.ensure_future(take(live, 2, ready))
        await ready.wait()
        for number in range(1000):
            live.publish({"n": number})
        return await task

    first, second = asyncio.run(play())
    assert second["n"] == first["n"] + 1 == 1000 - 256 + 1


def test_closing_ends_every_subscription():
    async def play():
        live = Live()
        heard = asyncio.ensure_future(collect(live))
        await asyncio.sleep(0)
        live.publish({"n": 1})
        live.close()
        return await asyncio.wait_for(heard, 5)

    async def collect(live):
        return [row async for row in live.subscribe()]

    assert asyncio.run(play()) == [{"n": 1}]
