-- Holds in Redis or Valkey: the whole of every method, so that nothing comes between its steps.
-- KEYS[1] is the prefix, with a hash tag around it: all keys are in one slot. ARGV[1] names the method.
-- Times are the callers', never the server's; only the rubbish is collected by the server's clock.
--
-- <prefix>:series            set: series that were restored
-- <prefix>:accounts:<series> sorted set: account -> when it may be forgotten
-- <prefix>:spent:<account>   hash: bucket -> "amount:forget"
-- <prefix>:held:<account>    hash: call -> "bucket:expires:amount"
-- <prefix>:call:<call>       hash: open, expires, claims (JSON)
-- <prefix>:open              sorted set: call -> when its hold expires
-- <prefix>:overrides         hash: target -> "cap:until", without a cap where it is lifted
-- <prefix>:told              hash: "percent:account" -> until
--
-- Amounts pass 2^53, where Lua's numbers end to be exact: they are kept as decimal text and added in two halves.

local prefix = KEYS[1]
local BASE = 1000000000
local at = 1

local function take()
  at = at + 1
  return ARGV[at]
end

local function key(kind, name)
  return prefix .. ':' .. kind .. (name and (':' .. name) or '')
end

local function halves(text)
  local n = #text
  if n <= 9 then return {0, tonumber(text)} end
  return {tonumber(string.sub(text, 1, n - 9)), tonumber(string.sub(text, n - 8))}
end

local function plus(a, b)
  local low, high = a[2] + b[2], a[1] + b[1]
  if low >= BASE then low, high = low - BASE, high + 1 end
  return {high, low}
end

local function above(a, b)
  return a[1] > b[1] or (a[1] == b[1] and a[2] > b[2])
end

local function text(a)
  if a[1] == 0 then return string.format('%d', a[2]) end
  return string.format('%d%09d', a[1], a[2])
end

local function keep(name, microseconds)
  -- Twice the time and a day more: clocks differ, and to be late here costs only memory.
  local ms = math.floor(math.max(microseconds, 0) / 500) + 86400000
  if redis.call('PTTL', name) < ms then redis.call('PEXPIRE', name, string.format('%d', ms)) end
end

local function claims_given()
  local claims = {}
  for i = 1, tonumber(take()) do
    claims[i] = {
      budget = take(), series = take(), account = take(), cap = take(), enforced = take() == '1',
      bucket = take(), since = take(), ['until'] = take(), forget = take(),
    }
  end
  return claims
end

local function cap_of(claim, now)
  for _, target in ipairs({claim.account, claim.budget}) do
    local found = redis.call('HGET', key('overrides'), target)
    if found then
      local cap, till = string.match(found, '^(%d*):(%d+)$')
      if tonumber(till) > now then
        if cap == '' then return '' end
        return above(halves(cap), halves(claim.cap)) and cap or claim.cap
      end
    end
  end
  return claim.cap
end

-- The account of a claim; `dead` collects the calls whose holds in it have run out.
local function standing(claim, now, dead)
  local since, till = tonumber(claim.since), tonumber(claim['until'])
  local spent, held = {0, 0}, {0, 0}
  local rows = redis.call('HGETALL', key('spent', claim.account))
  for i = 1, #rows, 2 do
    local bucket = tonumber(rows[i])
    if since <= bucket and bucket < till then
      spent = plus(spent, halves(string.match(rows[i + 1], '^(%d+):')))
    end
  end
  rows = redis.call('HGETALL', key('held', claim.account))
  for i = 2, #rows, 2 do
    local bucket, expires, amount = string.match(rows[i], '^(%-?%d+):(%d+):(%d+)$')
    bucket = tonumber(bucket)
    if tonumber(expires) <= now then
      dead[#dead + 1] = {claim.account, rows[i - 1]}
    elseif since <= bucket and bucket < till then
      held = plus(held, halves(amount))
    end
  end
  return {cap = cap_of(claim, now), spent = spent, held = held}
end

local function shown(standings)
  local rows = {}
  for i, each in ipairs(standings) do rows[i] = {each.cap, text(each.spent), text(each.held)} end
  return rows
end

local function all_standings(claims, now)
  local standings, dead = {}, {}
  for i, claim in ipairs(claims) do standings[i] = standing(claim, now, dead) end
  return standings, dead
end

local function know(claim, now)
  local name = key('accounts', claim.series)
  local old = redis.call('ZSCORE', name, claim.account)
  if not old or tonumber(old) < tonumber(claim.forget) then
    redis.call('ZADD', name, claim.forget, claim.account)
  end
  keep(name, tonumber(claim.forget) - now)
end

local function book(claim, amount, now)
  local name = key('spent', claim.account)
  local found = redis.call('HGET', name, claim.bucket)
  local total, forget = halves(amount), claim.forget
  if found then
    local old, kept = string.match(found, '^(%d+):(%d+)$')
    total = plus(total, halves(old))
    if tonumber(kept) > tonumber(forget) then forget = kept end
  end
  redis.call('HSET', name, claim.bucket, text(total) .. ':' .. forget)
  keep(name, tonumber(forget) - now)
  know(claim, now)
  if redis.call('HLEN', name) > 100 then
    local rows = redis.call('HGETALL', name)
    for i = 1, #rows, 2 do
      if tonumber(string.match(rows[i + 1], ':(%d+)$')) <= now then redis.call('HDEL', name, rows[i]) end
    end
  end
end

local function claims_of(call)
  return cjson.decode(redis.call('HGET', key('call', call), 'claims') or '[]')
end

-- Mark holds that have run out, so that they stay so: another's clock may be behind the one that saw it.
local function bury(dead)
  for _, each in ipairs(dead) do
    local account, call = each[1], each[2]
    for _, claim in ipairs(claims_of(call)) do redis.call('HDEL', key('held', claim.account), call) end
    redis.call('HDEL', key('held', account), call)
    if redis.call('EXISTS', key('call', call)) == 1 then redis.call('HSET', key('call', call), 'expires', '0') end
  end
end

local function hold(call, claims, amount, now, expires, remember)
  local name = key('call', call)
  redis.call('HSET', name, 'open', '1', 'expires', expires, 'claims', cjson.encode(claims))
  keep(name, tonumber(expires) - now + remember)
  redis.call('ZADD', key('open'), expires, call)
  for _, claim in ipairs(claims) do
    local held = key('held', claim.account)
    redis.call('HSET', held, call, claim.bucket .. ':' .. expires .. ':' .. amount)
    keep(held, tonumber(expires) - now + remember)
    know(claim, now)
  end
end


local function let_go(call)
  for _, claim in ipairs(claims_of(call)) do redis.call('HDEL', key('held', claim.account), call) end
  redis.call('ZREM', key('open'), call)
end

local function finish(call, remember)
  let_go(call)
  local name = key('call', call)
  redis.call('HSET', name, 'open', '0', 'claims', '[]')
  keep(name, remember)
end

local methods = {}

function methods.reserve()
  local call, amount, now, expires, remember = take(), take(), tonumber(take()), take(), tonumber(take())
  local claims = claims_given()
  local lost = {}
  for _, claim in ipairs(claims) do
    if redis.call('SISMEMBER', key('series'), claim.series) == 0 then lost[#lost + 1] = claim.series end
  end
  if #lost > 0 then return {'lost', lost} end
  local standings, dead = all_standings(claims, now)
  if redis.call('EXISTS', key('call', call)) == 0 then
    bury(dead)
    local full = {}
    for i, each in ipairs(standings) do
      local used = plus(plus(each.spent, each.held), halves(amount))
      if claims[i].enforced and each.cap ~= '' and above(used, halves(each.cap)) then full[#full + 1] = i end
    end
    if #full > 0 then return {'refused', full, shown(standings)} end
    hold(call, claims, amount, now, expires, remember)
    for _, each in ipairs(standings) do each.held = plus(each.held, halves(amount)) end
  end
  return {'reserved', shown(standings)}
end

function methods.renew()
  local now, expires, remember = tonumber(take()), take(), tonumber(take())
  local alive = {}
  for _ = 1, tonumber(take()) do
    local call = take()
    local name = key('call', call)
    local open, old = unpack(redis.call('HMGET', name, 'open', 'expires'))
    if open == '1' and tonumber(old) > now then
      alive[#alive + 1] = call
      if tonumber(old) < tonumber(expires) then
        redis.call('HSET', name, 'expires', expires)
        redis.call('ZADD', key('open'), expires, call)
        keep(name, tonumber(expires) - now + remember)
        for _, claim in ipairs(claims_of(call)) do
          local held = key('held', claim.account)
          local bucket, amount = string.match(redis.call('HGET', held, call), '^(%-?%d+):%d+:(%d+)$')
          redis.call('HSET', held, call, bucket .. ':' .. expires .. ':' .. amount)
          keep(held, tonumber(expires) - now + remember)
        end
      end
    end
  end
  return alive
end

function methods.settle()
  local call, amount, now, remember = take(), take(), tonumber(take()), tonumber(take())
  local given = claims_given()
  local open = redis.call('HGET', key('call', call), 'open')
  if not open then
    if #given == 0 then return 0 end
    hold(call, given, '0', now, string.format('%d', now), remember)
  elseif open == '0' then
    return 0
  end
  for _, claim in ipairs(claims_of(call)) do book(claim, amount, now) end
  finish(call, remember)
  return 1
end

function methods.release()
  local call, remember = take(), tonumber(take())
  if redis.call('HGET', key('call', call), 'open') ~= '1' then return 0 end
  finish(call, remember)
  return 1
end

local function drop_old(name, now)
  local rows = redis.call('HGETALL', name)
  for i = 1, #rows, 2 do
    if tonumber(string.match(rows[i + 1], ':?(%d+)$')) <= now then redis.call('HDEL', name, rows[i]) end
  end
end

function methods.expire()
  local now, remember = tonumber(take()), tonumber(take())
  local old = string.format('%d', now - remember)
  for _, call in ipairs(redis.call('ZRANGEBYSCORE', key('open'), '-inf', old)) do
    if redis.call('EXISTS', key('call', call)) == 1 then let_go(call) end
    redis.call('ZREM', key('open'), call)
    redis.call('DEL', key('call', call))
  end
  drop_old(key('overrides'), now)
  drop_old(key('told'), now)
  local text_now = string.format('%d', now)
  for _, series in ipairs(redis.call('SMEMBERS', key('series'))) do
    local name = key('accounts', series)
    for _, account in ipairs(redis.call('ZRANGEBYSCORE', name, '-inf', text_now)) do
      redis.call('DEL', key('spent', account))
      if redis.call('EXISTS', key('held', account)) == 0 then redis.call('ZREM', name, account) end
    end
  end
  return redis.call('ZRANGEBYSCORE', key('open'), '-inf', text_now)
end

function methods.standings()
  local now = tonumber(take())
  local standings = all_standings(claims_given(), now)
  return shown(standings)
end

function methods.accounts()
  local found = {}
  for _, account in ipairs(redis.call('ZRANGE', key('accounts', take()), 0, -1)) do
    if redis.call('EXISTS', key('spent', account), key('held', account)) > 0 then found[#found + 1] = account end
  end
  return found
end

function methods.restore()
  local series, now = take(), tonumber(take())
  if redis.call('SADD', key('series'), series) == 0 then return 0 end
  for _ = 1, tonumber(take()) do
    local claim = {series = series, account = take(), bucket = take(), forget = take()}
    book(claim, take(), now)
  end
  return 1
end

function methods.tell()
  local account, percent, now, till = take(), take(), tonumber(take()), take()
  local field = percent .. ':' .. account
  local known = redis.call('HGET', key('told'), field)
  if known and tonumber(known) > now then return 0 end
  redis.call('HSET', key('told'), field, till)
  return 1
end

return methods[ARGV[1]]()
