"""Replies kept in Redis or Valkey, for replicas that share them. Every change is one Lua script, and so atomic.

Bodies expire by themselves; what is known of them (sizes, tags, order of use) is put right at the next change. All keys
share one hash slot, so that a cluster takes the scripts too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from underspend.core.replies import Found, Listed, ReplyStoreError, Stock, StoredReply

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.commands.core import AsyncScript

_SECONDS = 0.25  # a cache slower than this is no help
_SPACE = "{underspend-replies}:"

_SHARED = """
local space = ARGV[1]
local function forget(key)
    local size = redis.call('HGET', space .. 'sizes', key)
    if not size then return 0 end
    for _, tag in ipairs(cjson.decode(redis.call('HGET', space .. 'tags', key) or '[]')) do
        redis.call('SREM', space .. 'tag:' .. tag, key)
    end
    redis.call('HDEL', space .. 'sizes', key)
    redis.call('HDEL', space .. 'tags', key)
    redis.call('ZREM', space .. 'used', key)
    redis.call('ZREM', space .. 'expires', key)
    redis.call('DEL', space .. 'reply:' .. key)
    redis.call('DECRBY', space .. 'size', size)
    return 1
end
local function purge(now)
    for _, key in ipairs(redis.call('ZRANGEBYSCORE', space .. 'expires', '-inf', now)) do forget(key) end
end
"""
_GET = """
local space, key, tenant, now = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local clears = redis.call('GET', space .. 'clears') or '0'
local name = space .. 'reply:' .. key
local row = redis.call('HMGET', name, 'tenant', 'expires_at', 'head', 'body')
if not row[1] or row[1] ~= tenant or tonumber(row[2]) <= tonumber(now) then return {clears} end
if ARGV[5] == '0' then return {clears, row[3], row[4]} end
redis.call('HINCRBY', name, 'hits', 1)
if tonumber(redis.call('HGET', name, 'used_at')) < tonumber(now) then
    redis.call('HSET', name, 'used_at', now)
    redis.call('ZADD', space .. 'used', now, key)
end
return {clears, row[3], row[4]}
"""
_PUT = (
    _SHARED
    + """
local key, clears, bound, now, expires, head, body, tags, tenant =
    ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]
if #body > bound then return 0 end
local since = redis.call('HGET', space .. 'cleared', '')
if since and tonumber(since) > clears then return 0 end
for _, tag in ipairs(cjson.decode(tags)) do
    since = redis.call('HGET', space .. 'cleared', tag)
    if since and tonumber(since) > clears then return 0 end
end
forget(key)
purge(now)
while tonumber(redis.call('GET', space .. 'size') or '0') + #body > bound do
    local oldest = redis.call('ZRANGE', space .. 'used', 0, 0)[1] or redis.call('HKEYS', space .. 'sizes')[1]
    if not oldest then
        redis.call('SET', space .. 'size', 0)
    elseif forget(oldest) == 0 then
        redis.call('ZREM', space .. 'used', oldest)
    end
end
local life = math.ceil((tonumber(expires) - tonumber(now)) / 1000)
if life <= 0 then return 0 end
local name = space .. 'reply:' .. key
redis.call('HSET', name, 'tenant', tenant, 'expires_at', expires, 'head', head, 'body', body, 'used_at', now, 'hits', 0)
redis.call('PEXPIRE', name, string.format('%.0f', life))
redis.call('HSET', space .. 'sizes', key, #body)
redis.call('HSET', space .. 'tags', key, tags)
redis.call('INCRBY', space .. 'size', #body)
redis.call('ZADD', space .. 'used', now, key)
redis.call('ZADD', space .. 'expires', expires, key)
for _, tag in ipairs(cjson.decode(tags)) do redis.call('SADD', space .. 'tag:' .. tag, key) end
return 1
"""
)
_CLEAR = (
    _SHARED
    + """
local tag = ARGV[2]
redis.call('HSET', space .. 'cleared', tag, redis.call('INCR', space .. 'clears'))
local keys = tag == '' and redis.call('HKEYS', space .. 'sizes')
    or redis.call('SMEMBERS', space .. 'tag:' .. tag)
local gone = 0
for _, key in ipairs(keys) do gone = gone + forget(key) end
return gone
"""
)
_REMOVE = _SHARED + "return forget(ARGV[2])"


class RedisReplies:
    """A ReplyStore in Redis, of at most `bound` bytes of bodies over all replicas.

    `url` is redis://, rediss:// or unix://. Raises ReplyStoreError where the package redis is not there.
    """

    def __init__(self, url: str, bound: int) -> None:
        self._url = re.sub(r"://[^@/]*@", "://***@", url).partition("?")[0]
        self._bound = bound
        try:
            from redis.asyncio import Redis
        except ImportError as error:
            problem = "it needs the package redis: pip install 'underspend[redis]'"
            raise ReplyStoreError(path=self._url, problem=problem) from error
        self._redis: Redis = Redis.from_url(url, socket_connect_timeout=_SECONDS, socket_timeout=_SECONDS)
        self._scripts: Mapping[str, AsyncScript] = {
            name: self._redis.register_script(text)
            for name, text in (("get", _GET), ("put", _PUT), ("clear", _CLEAR), ("remove", _REMOVE))
        }

    async def get(self, key: bytes, tenant: str, now: int, *, use: bool = True) -> Found:
        """The row of a key. That counts as a use of it, unless `use` says otherwise."""
        clears, *row = await self._run("get", key.hex(), tenant, now, int(use))
        if not row:
            return Found(None, int(clears))
        return Found(StoredReply(**_read(row[0]), key=key, tenant=tenant, body=row[1]), int(clears))

    async def put(self, row: StoredReply, clears: int) -> bool:
        """Keeps a row, unless it is too large or was cleared since `clears`."""
        head = json.dumps([row.kept_at, row.expires_at, row.model, row.tags, row.cost])
        times = (row.kept_at, row.expires_at)
        tags = json.dumps(row.tags) if row.tags else "[]"
        made = await self._run("put", row.key.hex(), clears, self._bound, *times, head, row.body, tags, row.tenant)
        return bool(made)

    async def clear(self, tag: str | None = None) -> int:
        """Forgets all rows with a tag, or all."""
        return int(await self._run("clear", tag or ""))

    async def remove(self, key: bytes) -> bool:
        """Forgets one row."""
        return bool(await self._run("remove", key.hex()))

    async def listed(self, *, now: int, limit: int = 100, tag: str | None = None) -> Sequence[Listed]:
        """The rows that still answer, those used last first."""
        alive = [row for row in await self._alive(now) if tag is None or tag in row.tags]
        return sorted(alive, key=lambda row: (-row.used_at, row.key))[:limit]

    async def stock(self, now: int) -> Stock:
        """What is held and still answers."""
        alive = await self._alive(now)
        size, hits = sum(row.size for row in alive), sum(row.hits for row in alive)
        return Stock(rows=len(alive), size=size, hits=hits, bound=self._bound)

    async def close(self) -> None:
        """Closes the connections."""
        await self._redis.aclose()

    async def _alive(self, now: int) -> list[Listed]:
        keys = await self._asked(self._redis.zrangebyscore(_SPACE + "expires", f"({now}", "+inf"))
        async with self._redis.pipeline(transaction=False) as asking:
            for key in keys:
                asking.hmget(_SPACE + "reply:" + key.decode(), ["tenant", "head", "hits", "used_at"])
                asking.hget(_SPACE + "sizes", key.decode())
            said = await self._asked(asking.execute())
        rows = zip(keys, said[::2], said[1::2], strict=True)
        return [_shown(key, row, size) for key, row, size in rows if row[0] is not None and size is not None]

    async def _run(self, script: str, *values: str | bytes | int) -> Any:
        return await self._asked(self._scripts[script](args=[_SPACE, *values]))

    async def _asked(self, asking: object) -> Any:
        from redis.exceptions import RedisError

        try:
            return await cast("Awaitable[Any]", asking)
        except (RedisError, OSError) as error:
            raise ReplyStoreError(path=self._url, problem=str(error)) from error


def _read(head: bytes) -> dict[str, Any]:
    kept_at, expires_at, model, tags, cost = json.loads(head)
    return {"kept_at": kept_at, "expires_at": expires_at, "model": model, "tags": tuple(tags), "cost": cost}


def _shown(key: bytes, row: Sequence[bytes], size: bytes) -> Listed:
    tenant, head, hits, used_at = row
    return Listed(
        **_read(head),
        key=bytes.fromhex(key.decode()),
        tenant=tenant.decode(),
        size=int(size),
        hits=int(hits),
        used_at=int(used_at),
    )
