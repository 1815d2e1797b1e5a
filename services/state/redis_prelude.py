"""What the scripts of the state have in common: its keys at the server, the sums, versions, and what expires.

Keys, all of which begin with the prefix of the service:

- ``values:<scope>``: a hash of the values by key, each as ``version due cost born kind count data``: when it expires in
  ms, 0 for never; the bytes that it counts for; the version under which its key was first set; 0 for an encoded value,
  1 for bytes, 2 for a list that grows, whose number of items is the count and whose items are elsewhere:
- ``list:<length of the scope>:<scope><key>``: its encoded items, one after another.
- ``scopes``: those that have values, by when they are to be forgotten.
- ``due``: the values that expire, by when they do.
- ``owners``: bytes by owner.
- ``totals``: values, bytes and scopes of all, and the last version that was given. That is never under the server's
  clock in µs: one that is given after everything was lost is none that was given before.

Changes of scopes that somebody watches are told by feeds, within the same script.
"""

from typing import Final

from bedplate.services.engines.redis_feeds_scripts import FEEDS

__all__ = ["PRELUDE"]

PRELUDE: Final = (
    FEEDS
    + """
local function at() return tonumber(ARGV[6]) or math.floor(clock() / 1000) end
local SCOPES, DUE, OWNERS, TOTALS = P .. 'scopes', P .. 'due', P .. 'owners', P .. 'totals'
local events, expired, totals, changes = {}, 0, nil, false

local function values(scope) return P .. 'values:' .. scope end
local function member(scope, key) return #scope .. ':' .. scope .. key end

-- Read once and written once, however many values a script changes.
local function sums()
  if not totals then
    local read = redis.call('HMGET', TOTALS, 'entries', 'bytes', 'scopes', 'version')
    totals = {
      entries = tonumber(read[1] or 0), bytes = tonumber(read[2] or 0), scopes = tonumber(read[3] or 0),
      version = tonumber(read[4] or 0),
    }
  end
  return totals
end

local function next_version()
  local all = sums()
  all.version, changes = math.max(clock(), all.version + 1), true
  return all.version
end

local function tell(scope, kind, version, key, raw, data)
  local payload = kind .. ' ' .. whole(version) .. ' ' .. raw .. ' ' .. #key .. ' ' .. key .. data
  local epoch, offset = append(scope, payload)
  if epoch then
    local index = #events
    events[index + 1], events[index + 2], events[index + 3], events[index + 4] = scope, epoch, whole(offset), payload
  end
end

local function parse(entry)
  local version, due, cost, born, kind, count, start = string.match(entry, '^(%d+) (%d+) (%d+) (%d+) (%d) (%d+) ()')
  return {
    version = version, due = tonumber(due), cost = tonumber(cost), born = born, kind = kind, count = tonumber(count),
    start = start,
  }
end

local function count(scope, number, bytes)
  if number == 0 and bytes == 0 then return end
  local all, owner = sums(), string.match(scope, '^%a+/([^/]+)')
  all.entries, all.bytes, changes = all.entries + number, all.bytes + bytes, true
  if owner and redis.call('HINCRBY', OWNERS, owner, whole(bytes)) <= 0 then redis.call('HDEL', OWNERS, owner) end
end

local function forget_scope(scope)
  local all = sums()
  all.scopes, changes = all.scopes - redis.call('ZREM', SCOPES, scope), true
end

local function remove(scope, key, found, kind)
  redis.call('HDEL', values(scope), key)
  if found.due > 0 then redis.call('ZREM', DUE, member(scope, key)) end
  if found.kind == '2' then redis.call('DEL', P .. 'list:' .. member(scope, key)) end
  count(scope, -1, -found.cost)
  if redis.call('EXISTS', values(scope)) == 0 then forget_scope(scope) end
  tell(scope, kind, next_version(), key, 0, '')
end

local function expire(scope, key, found)
  expired = expired + 1
  remove(scope, key, found, 'x')
end

local function find(scope, key)
  local entry = redis.call('HGET', values(scope), key)
  if not entry then return nil end
  local found = parse(entry)
  if found.due > 0 and found.due <= at() then
    expire(scope, key, found)
    return nil
  end
  return found, entry
end

local function expire_due()
  local before = expired
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', DUE, '-inf', whole(at()), 'LIMIT', 0, 500)) do
    local length, start = string.match(name, '^(%d+):()')
    local scope, key = string.sub(name, start, start + length - 1), string.sub(name, start + length)
    local entry = redis.call('HGET', values(scope), key)
    if entry then expire(scope, key, parse(entry)) else redis.call('ZREM', DUE, name) end
  end
  return expired > before
end

local function check(expected, found)
  if expected == '' then return nil end
  local version = found and found.version or '0'
  if version ~= expected then return {'conflict', version} end
end

local function no_room(scope, found, cost, limits)
  if not found and redis.call('HLEN', values(scope)) >= limits.entries then
    while expire_due() do end
    if redis.call('HLEN', values(scope)) >= limits.entries then return {'full', 'max_entries'} end
  end
  local grown = cost - (found and found.cost or 0)
  while grown > 0 do
    local all = sums().bytes
    local owner, owned = string.match(scope, '^%a+/([^/]+)'), 0
    if owner then owned = tonumber(redis.call('HGET', OWNERS, owner) or 0) end
    if all + grown <= limits.bytes and (not owner or owned + grown <= limits.user_bytes) then return nil end
    if not expire_due() then
      return {'full', all + grown > limits.bytes and 'max_bytes' or 'max_user_bytes'}
    end
  end
end

local function changed(scope, idle)
  local last = '+inf'
  if idle ~= '' then last = whole(at() + idle) end
  local new = redis.call('ZADD', SCOPES, last, scope)
  if new > 0 then
    local all = sums()
    all.scopes, changes = all.scopes + new, true
  end
end

local function keep(scope, key, found, version, lifetime, cost, kind, number, data, idle)
  local due, born = 0, found and found.born or whole(version)
  if lifetime ~= '' then due = math.ceil(at() + lifetime) end
  local name = member(scope, key)
  if found and found.kind == '2' and kind ~= 2 then redis.call('DEL', P .. 'list:' .. name) end
  redis.call('HSET', values(scope), key, table.concat({
    whole(version), whole(due), whole(cost), born, kind, number, data,
  }, ' '))
  if due > 0 then redis.call('ZADD', DUE, whole(due), name)
  elseif found and found.due > 0 then redis.call('ZREM', DUE, name) end
  count(scope, found and 0 or 1, cost - (found and found.cost or 0))
  changed(scope, idle)
end

local function finish(result)
  local all = totals
  if not all then return {result, events, {}} end
  if changes then
    redis.call('HSET', TOTALS, 'entries', whole(all.entries), 'bytes', whole(all.bytes), 'scopes', whole(all.scopes),
      'version', whole(all.version))
  end
  return {result, events, {all.entries, all.bytes, all.scopes, expired}}
end

local function record(scope, key, found, entry)
  local left = found.due > 0 and whole(found.due - at()) or ''
  local data
  if found.kind == '2' then data = redis.call('GET', P .. 'list:' .. member(scope, key))
  else data = string.sub(entry, found.start) end
  return {key, found.version, left, found.born, found.kind, found.count, data}
end
"""
)
"""First arguments: those of feeds; then now in ms, or nothing for the server's clock."""
