"""Who loads a value, settled at the server: each script is one step there.

A load that others may not do meanwhile is a key with the token of who loads, and with the generations that the load
began in. It ends with its lease, by its holder's word, or when something is written or deleted under the key of the
value.
"""

from typing import Final

from bedplate.services.cache.redis_scripts import PRELUDE
from bedplate.services.engines.redis_batch import Script

__all__ = ["CLAIM", "RELEASE", "RENEW"]

CLAIM: Final = Script(
    PRELUDE
    + """
-- KEYS: generation, item, load. ARGV: beginning of tags, fresh generation, seconds of the lease in ms, token, token of
-- an earlier load of the same process (or empty), how long to keep tags, tags...
-- Answers what is there; or that another loads; or that everybody may, or that this one shall, with the generations of
-- the tags.
local present = generation(KEYS[1], ARGV[2])
local found = look(KEYS[2], present, ARGV[1])
if found and found.left > 0 then
  return {'there', found.flags, string.sub(redis.call('GET', KEYS[2]), found.from + 1)}
end
local mark, answer = present, {'yours'}
for i = 7, #ARGV do
  answer[#answer + 1] = tag(ARGV[1] .. ARGV[i], ARGV[2], tonumber(ARGV[6]))
  mark = mark .. answer[#answer]
end
local held = redis.call('GET', KEYS[3])
if held == 'everybody' then
  answer[1] = held
  return answer
end
if held then
  local holder, about = string.sub(held, 1, #ARGV[4]), string.sub(held, #ARGV[4] + 1)
  if holder ~= ARGV[5] and about == mark then return {'taken'} end
end
redis.call('SET', KEYS[3], ARGV[4] .. mark, 'PX', ARGV[3])
return answer
"""
)
RENEW: Final = Script(
    """
-- KEYS: load. ARGV: token, seconds of the lease in ms.
local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
)
RELEASE: Final = Script(
    """
-- KEYS: load. ARGV: token, ms for which everybody may load (0: the next one shall).
local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], 'everybody', 'PX', ARGV[2])
return 1
"""
)
