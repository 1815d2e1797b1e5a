"""What is done to feeds at the server: each script happens wholly or not at all, and no other command in between.

Keys, all of which begin with the prefix of the feeds:

- ``feed:<name>``: a hash of ``e``, the epoch; ``o``, how many events there have been; ``b``, the bytes that it counts
  for; and ``w:<replica>`` for each process that watches it: until when, in ms, and the number of its registration.
  The channel of the feed has the same name.
- ``log:<name>``: the list of its latest events.
- ``feeds``: all feeds, by when they are to be forgotten.
- ``bytes``: the bytes of all.
- ``sent:<sender>``: the last batch of a process that was executed.

No key has a time to live, so that no server evicts any under a ``volatile`` policy, and the sum stays right.
"""

from typing import Final

__all__ = ["BATCH", "FEEDS", "REGISTER", "SINCE"]

FEEDS: Final = """
local P, micros = KEYS[1], nil
local function clock()
  if not micros then
    local time = redis.call('TIME')
    micros = time[1] * 1000000 + time[2]
  end
  return micros
end
local function now() return tonumber(ARGV[1]) or math.floor(clock() / 1000) end
local TTL, EVENTS, BYTES, TOTAL = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local FEED, EVENT = 1024, 128
local INDEX, SUM = P .. 'feeds', P .. 'bytes'

local function whole(number) return string.format('%.0f', number) end

local function forget(name)
  local bytes = tonumber(redis.call('HGET', P .. 'feed:' .. name, 'b') or 0)
  redis.call('DEL', P .. 'feed:' .. name, P .. 'log:' .. name)
  redis.call('ZREM', INDEX, name)
  return redis.call('INCRBY', SUM, whole(-bytes))
end

local function forget_old()
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', INDEX, '-inf', whole(now()), 'LIMIT', 0, 100)) do forget(name) end
end

local function give_way(sum)
  while sum > TOTAL do
    local first = redis.call('ZRANGE', INDEX, 0, 0, 'WITHSCORES')
    if not first[1] or math.floor(tonumber(first[2])) - TTL > now() then return sum end
    sum = forget(first[1])
  end
  return sum
end

local function append(name, payload)
  local key, log, size = P .. 'feed:' .. name, P .. 'log:' .. name, #payload + EVENT
  local epoch = redis.call('HGET', key, 'e')
  if not epoch then return end
  local offset = redis.call('HINCRBY', key, 'o', 1)
  local count = redis.call('RPUSH', log, payload)
  local own, sum = redis.call('HINCRBY', key, 'b', size), redis.call('INCRBY', SUM, size)
  local function drop()
    local less = -(#redis.call('LPOP', log) + EVENT)
    count, own, sum = count - 1, redis.call('HINCRBY', key, 'b', less), redis.call('INCRBY', SUM, less)
  end
  while count > EVENTS or own - FEED > BYTES do drop() end
  if sum > TOTAL then
    sum = give_way(sum)
    if redis.call('EXISTS', key) == 0 then return end
    while sum > TOTAL and count > 0 do drop() end
  end
  redis.call('PUBLISH', key, epoch .. ' ' .. whole(offset) .. ' ' .. payload)
  return epoch, offset
end
"""
"""Arguments: now in ms, or nothing for the server's clock; ms that a feed is kept; events and bytes of it; of all."""

REGISTER: Final = (
    FEEDS
    + """
local replica, lease, epoch = ARGV[6], tonumber(ARGV[7]), ARGV[8]
local places = {}
forget_old()
for index = 9, #ARGV, 2 do
  local name, registration = ARGV[index], ARGV[index + 1]
  local key = P .. 'feed:' .. name
  local place = redis.call('HMGET', key, 'e', 'o')
  if not place[1] then
    place = {epoch, '0'}
    redis.call('HSET', key, 'e', epoch, 'o', 0, 'b', FEED)
    redis.call('INCRBY', SUM, FEED)
  end
  redis.call('HSET', key, 'w:' .. replica, whole(now() + lease) .. ':' .. registration)
  redis.call('ZADD', INDEX, 'GT', whole(now() + lease + TTL), name)
  places[#places + 1] = place
end
return places
"""
)
"""Watch feeds for a while; replica, ms, an epoch for new feeds, and of each its name and the registration."""

BATCH: Final = (
    FEEDS
    + """
local function leave(name, who, order)
  local replica, registration = string.match(who, '^(%w+):(%d+)$')
  local key = P .. 'feed:' .. name
  local mine = redis.call('HGET', key, 'w:' .. replica)
  if not mine or string.match(mine, ':(%d+)$') ~= registration then return end
  redis.call('HDEL', key, 'w:' .. replica)
  local last, fields = now(), redis.call('HGETALL', key)
  for index = 1, #fields, 2 do
    if string.sub(fields[index], 1, 2) == 'w:' then
      local watched = tonumber(string.match(fields[index + 1], '^%d+'))
      if watched > last then
        last = watched
      elseif watched <= now() then
        redis.call('HDEL', key, fields[index])
      end
    end
  end
  -- Those that one batch leaves give way in their order.
  redis.call('ZADD', INDEX, 'XX', string.format('%.3f', last + TTL + order / 1000), name)
  forget_old()
  give_way(tonumber(redis.call('GET', SUM) or 0))
end

local function cut(name, epoch)
  local key = P .. 'feed:' .. name
  local bytes = redis.call('HGET', key, 'b')
  if not bytes then return end
  redis.call('DEL', P .. 'log:' .. name)
  redis.call('INCRBY', SUM, FEED - bytes)
  redis.call('HSET', key, 'e', epoch, 'o', 0, 'b', FEED)
  redis.call('PUBLISH', key, epoch .. ' 0 ')
end

local sender, number = P .. 'sent:' .. ARGV[6], tonumber(ARGV[7])
if tonumber(redis.call('GET', sender) or 0) >= number then return 0 end
redis.call('SET', sender, number, 'PX', 86400000)
for index = 8, #ARGV, 3 do
  local what, name, data = ARGV[index], ARGV[index + 1], ARGV[index + 2]
  if what == 'say' then
    append(name, data)
  elseif what == 'leave' then
    leave(name, data, index)
  elseif what == 'cut' then
    cut(name, data)
  else
    for _, every in ipairs(redis.call('ZRANGE', INDEX, 0, -1)) do cut(every, data) end
  end
end
return 1
"""
)
"""Do what one process has to say, once; sender, number of the batch, and of each item what, the feed, and data."""

SINCE: Final = (
    FEEDS
    + """
local name, epoch, offset = ARGV[6], ARGV[7], tonumber(ARGV[8])
local place = redis.call('HMGET', P .. 'feed:' .. name, 'e', 'o')
if not place[1] then return {} end
local missing = tonumber(place[2]) - offset
if place[1] ~= epoch or missing < 0 or missing > redis.call('LLEN', P .. 'log:' .. name) then
  return {place[1], place[2], 0, {}}
end
local events = {}
if missing > 0 then events = redis.call('LRANGE', P .. 'log:' .. name, -missing, -1) end
return {place[1], place[2], 1, events}
"""
)
"""What a feed has had since a place: epoch, offset, whether it is all, and the events; nothing if there is no feed."""
