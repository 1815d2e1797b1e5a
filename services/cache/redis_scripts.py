"""What the cache does at a Redis server, each of it one step there: scripts in Lua.

An item is one string: a byte of flags, the generation of its namespace, if need be details (its grace, its tags and
their generations), and the encoded value. It counts only as long as all of its generations go on: clearing a namespace
begins a new one, and invalidating a tag ends the tag's, whatever number of items there is. Generations are random, so
that one that was lost with the memory of a server never comes back, and what belonged to it is gone.

Nobody's clock matters: what Redis says is left of an item's time, less the item's grace, is what is left of its life.

A load that others may not do meanwhile is a key of its own (``redis_lease_scripts``). What is written or deleted takes
it away, so that what is loaded then is not kept, whichever replica loads it.
"""

from typing import Final

from bedplate.services.engines.redis_batch import Script

__all__ = [
    "CLEAR",
    "DELETE",
    "DETAILS",
    "HEAD",
    "INVALIDATE",
    "LEFT",
    "MOMENT",
    "PRELUDE",
    "PUT",
    "RAW",
    "READ",
    "SWAP",
    "TOUCH",
]

RAW: Final = 1
"""The flag of a value that is bytes, kept as they are."""
DETAILS: Final = 2
"""The flag of an item that has a grace or tags."""
HEAD: Final = 13
"""Bytes before the value of an item without details: flags and generation."""

PRELUDE: Final = """
local MONTH = 2592000000

-- The generation of a namespace, begun where there is none.
local function generation(key, fresh)
  local found = redis.call('GET', key)
  if not found then
    redis.call('SET', key, fresh)
    return fresh
  end
  return found
end

-- The generation of a tag, begun where there is none, and kept for as long as what has it.
local function tag(key, fresh, life)
  local found = redis.call('GET', key)
  if not found then
    redis.call('SET', key, fresh, 'PX', life)
    return fresh
  end
  if redis.call('PTTL', key) < life then redis.call('PEXPIRE', key, life) end
  return found
end

-- What is under a key, if it is of the present generations: flags, where its value begins, grace and tags.
local function read(key, present, tags, known)
  local head = redis.call('GETRANGE', key, 0, 16)
  if #head < 13 or string.sub(head, 2, 13) ~= present then return nil end
  local found = {flags = string.byte(head), from = 13, grace = 0, names = {}, gens = {}}
  if found.flags >= 2 then
    local size = struct.unpack('>I4', string.sub(head, 14, 17))
    local details = cmsgpack.unpack(redis.call('GETRANGE', key, 17, 16 + size))
    found.flags, found.from = found.flags - 2, 17 + size
    found.grace, found.names, found.gens = details[1], details[2], details[3]
    for i, name in ipairs(found.names) do
      if known[name] == nil then known[name] = redis.call('GET', tags .. name) end
      if known[name] ~= found.gens[i] then return nil end
    end
  end
  return found
end

-- The same, with what is left of its life, which is not positive for what is within its grace.
local function look(key, present, tags)
  local found = read(key, present, tags, {})
  if found then
    local left = redis.call('PTTL', key)
    found.left = left < 0 and math.huge or left - found.grace
  end
  return found
end

local function store(key, flags, present, grace, names, gens, data, life)
  local head = present
  if grace > 0 or #names > 0 then
    local details = cmsgpack.pack({grace, names, gens})
    flags, head = flags + 2, present .. struct.pack('>I4', #details) .. details
  end
  local whole = string.char(flags) .. head .. data
  if life then redis.call('SET', key, whole, 'PX', life) else redis.call('SET', key, whole) end
end

local function text(left)
  if left == math.huge then return 'inf' end
  return string.format('%d', left)
end
"""
"""What the scripts of the cache have in common."""

READ: Final = Script(
    PRELUDE
    + """
-- KEYS: item, generation. ARGV: beginning of tags, 1 for the digest. Answers flags, left, value, digest, tags...
local found = look(KEYS[1], redis.call('GET', KEYS[2]), ARGV[1])
if not found then return false end
local whole = redis.call('GET', KEYS[1])
local digest = ARGV[2] == '1' and redis.sha1hex(whole) or ''
local answer = {found.flags, text(found.left), string.sub(whole, found.from + 1), digest}
for _, name in ipairs(found.names) do answer[#answer + 1] = name end
return answer
"""
)
LEFT: Final = Script(
    PRELUDE
    + """
-- KEYS: item, generation. ARGV: beginning of tags.
local found = look(KEYS[1], redis.call('GET', KEYS[2]), ARGV[1])
if not found or found.left <= 0 then return false end
return text(found.left)
"""
)
PUT: Final = Script(
    PRELUDE
    + """
-- KEYS: generation, items..., their loads... ARGV: beginning of tags, fresh generation, life in all (0: no end), grace,
-- token of the load, channel, message, number of tags, tags..., their generations (or empty)..., flags and value...
local tags, fresh, life, grace, token = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local items, count = (#KEYS - 1) / 2, tonumber(ARGV[8])
local present, names, gens = generation(KEYS[1], fresh), {}, {}
if life == 0 then life = nil end
for i = 1, count do
  local since = ARGV[8 + count + i]
  names[i] = ARGV[8 + i]
  if since ~= '' and redis.call('GET', tags .. names[i]) ~= since then return 0 end
  gens[i] = tag(tags .. names[i], fresh, life or MONTH)
end
if token ~= '' and redis.call('GET', KEYS[3]) ~= token .. present .. table.concat(gens) then return 0 end
local at = 8 + 2 * count
for i = 1, items do
  redis.call('DEL', KEYS[1 + items + i])
  store(KEYS[1 + i], tonumber(ARGV[at + 2 * i - 1]), present, grace, names, gens, ARGV[at + 2 * i], life)
end
redis.call('PUBLISH', ARGV[6], ARGV[7])
return 1
"""
)
SWAP: Final = Script(
    PRELUDE
    + """
-- KEYS: generation, item, load. ARGV: beginning of tags, fresh generation, life in all (0: no end; -1: as it is),
-- grace, digest of what is there (empty: nothing), channel, message, flags, value, tags...
local tags, fresh, life, grace = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local present = generation(KEYS[1], fresh)
local found = look(KEYS[2], present, tags)
local live = found and found.left > 0
if live then
  if ARGV[5] ~= redis.sha1hex(redis.call('GET', KEYS[2])) then return 0 end
elseif ARGV[5] ~= '' then
  return 0
end
if life == 0 then life = nil end
if live and ARGV[3] == '-1' then
  life, grace = nil, found.grace
  if found.left ~= math.huge then life = found.left + grace end
end
local names, gens = {}, {}
for i = 10, #ARGV do
  names[#names + 1] = ARGV[i]
  gens[#gens + 1] = tag(tags .. ARGV[i], fresh, life or MONTH)
end
redis.call('DEL', KEYS[3])
store(KEYS[2], tonumber(ARGV[8]), present, grace, names, gens, ARGV[9], life)
redis.call('PUBLISH', ARGV[6], ARGV[7])
return 1
"""
)
DELETE: Final = Script(
    PRELUDE
    + """
-- KEYS: item, generation, load. ARGV: beginning of tags, channel, message.
local found = look(KEYS[1], redis.call('GET', KEYS[2]), ARGV[1])
redis.call('UNLINK', KEYS[1], KEYS[3])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return (found and found.left > 0) and 1 or 0
"""
)
TOUCH: Final = Script(
    PRELUDE
    + """
-- KEYS: item, generation. ARGV: beginning of tags, life without grace (0: no end), channel, message.
local found = look(KEYS[1], redis.call('GET', KEYS[2]), ARGV[1])
if not found or found.left <= 0 then return 0 end
local life = tonumber(ARGV[2])
if life == 0 then
  redis.call('PERSIST', KEYS[1])
  life = MONTH
else
  life = life + found.grace
  redis.call('PEXPIRE', KEYS[1], life)
end
for i, name in ipairs(found.names) do tag(ARGV[1] .. name, found.gens[i], life) end
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1
"""
)
MOMENT: Final = Script(
    PRELUDE
    + """
-- ARGV: beginning of tags, fresh generation, how long to keep it, tags...
local gens = {}
for i = 4, #ARGV do gens[i - 3] = tag(ARGV[1] .. ARGV[i], ARGV[2], tonumber(ARGV[3])) end
return gens
"""
)
INVALIDATE: Final = Script(
    """
-- KEYS: tags... ARGV: channel, message.
redis.call('DEL', unpack(KEYS))
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1
"""
)
CLEAR: Final = Script(
    """
-- KEYS: generation. ARGV: fresh generation, channel, message. Answers the one that has ended.
local ended = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return ended
"""
)
