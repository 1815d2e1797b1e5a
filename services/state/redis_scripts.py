"""What is done to the state at the server: each script happens wholly or not at all, and no other command in between.

What they have in common, and which keys there are, is in ``redis_prelude``.
"""

from typing import Final

from bedplate.services.state.redis_prelude import PRELUDE

__all__ = ["ALL", "APPEND", "CLEAR", "DELETE", "GET", "PURGE", "PUT"]

_WRITE: Final = """
local scope, key, data, raw = ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local lifetime, expected, idle = ARGV[11], ARGV[12], ARGV[13]
local limits = {
  entries = tonumber(ARGV[14]), value = tonumber(ARGV[15]), user_bytes = tonumber(ARGV[16]), bytes = tonumber(ARGV[17]),
}
local OVERHEAD = 512
local found, entry = find(scope, key)
"""

GET: Final = (
    PRELUDE
    + """
local scope, key = ARGV[7], ARGV[8]
local found, entry = find(scope, key)
if found then return finish({'found', record(scope, key, found, entry)}) end
return finish({'none', whole(sums().version)})
"""
)

ALL: Final = (
    PRELUDE
    + """
local scope = ARGV[7]
local records, entries = {}, redis.call('HGETALL', values(scope))
for index = 1, #entries, 2 do
  local found, entry = find(scope, entries[index])
  if found then records[#records + 1] = record(scope, entries[index], found, entry) end
end
return finish(records)
"""
)

PUT: Final = (
    PRELUDE
    + _WRITE
    + """
local cost = OVERHEAD + #key + #data
local refused = check(expected, found) or no_room(scope, found, cost, limits)
if refused then return finish(refused) end
local version = next_version()
keep(scope, key, found, version, lifetime, cost, raw, 0, data, idle)
tell(scope, 's', version, key, raw, data)
return finish({'done', whole(version)})
"""
)

APPEND: Final = (
    PRELUDE
    + _WRITE
    + """
local HEADER = 5
local function big(text)
  local number = 0
  for index = 1, #text do number = number * 256 + string.byte(text, index) end
  return number
end
local function bytes_of(number, length)
  local text = ''
  for _ = 1, length do
    text = string.char(number % 256) .. text
    number = math.floor(number / 256)
  end
  return text
end
-- What is there already as a list: number of items, and the items (MessagePack, formats array and bin).
local function opened(kind, body)
  if kind == '1' then
    if #body < 256 then return 1, '\\196' .. bytes_of(#body, 1) .. body end
    if #body < 65536 then return 1, '\\197' .. bytes_of(#body, 2) .. body end
    return 1, '\\198' .. bytes_of(#body, 4) .. body
  end
  local first = string.byte(body, 1)
  if first >= 144 and first <= 159 then return first - 144, string.sub(body, 2) end
  if first == 220 then return big(string.sub(body, 2, 3)), string.sub(body, 4) end
  if first == 221 then return big(string.sub(body, 2, 5)), string.sub(body, 6) end
  return 1, body
end
local list, number, size, body = P .. 'list:' .. member(scope, key), 0, HEADER, nil
if found and found.kind == '2' then
  number, size = found.count, HEADER + redis.call('STRLEN', list)
elseif found then
  number, body = opened(found.kind, string.sub(entry, found.start))
  size = HEADER + #body
end
size = size + #data
if size > limits.value then return finish({'large', size}) end
local cost = OVERHEAD + #key + size
local refused = no_room(scope, found, cost, limits)
if refused then return finish(refused) end
if body then redis.call('SET', list, body) end
redis.call('APPEND', list, data)
local version = next_version()
keep(scope, key, found, version, lifetime, cost, 2, number + 1, '', idle)
tell(scope, 'a', version, key, 0, data)
return finish({'done', whole(version)})
"""
)

DELETE: Final = (
    PRELUDE
    + """
local scope, key, expected, idle = ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local found = find(scope, key)
local refused = check(expected, found)
if refused then return finish(refused) end
if not found then return finish({'none'}) end
remove(scope, key, found, 'd')
if redis.call('EXISTS', values(scope)) == 1 then changed(scope, idle) end
return finish({'done'})
"""
)

CLEAR: Final = (
    PRELUDE
    + """
local scope, close, alive = ARGV[7], ARGV[8], 0
local entries = redis.call('HGETALL', values(scope))
for index = 1, #entries, 2 do
  local found = parse(entries[index + 1])
  if found.due == 0 or found.due > at() then alive = alive + 1 end
  remove(scope, entries[index], found, 'd')
end
if close == '1' then tell(scope, 'e', 0, '', 0, '') end
return finish(alive)
"""
)

PURGE: Final = (
    PRELUDE
    + """
sums()
expire_due()
for _, scope in ipairs(redis.call('ZRANGEBYSCORE', SCOPES, '-inf', whole(at()), 'LIMIT', 0, 50)) do
  local entries = redis.call('HGETALL', values(scope))
  for index = 1, #entries, 2 do expire(scope, entries[index], parse(entries[index + 1])) end
  forget_scope(scope)
end
return finish(expired)
"""
)
