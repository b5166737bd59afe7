#!lua flags=allow-oom
-- A leased push, its device, and what the badge counts at this moment. An entry whose push was erased is taken out of
-- the lane on the spot: there is nothing left that could be settled.
--
-- KEYS: 1 push, 2 lane
-- ARGV: 1 tenant, 2 entry id
-- Returns: nil if the push is gone, else push document, state, withdrawn, attempts that count, device, unread or nil

local push = redis.call('HMGET', KEYS[1], 'doc', 'state', 'withdrawn', 'counted', 'device', 'extension')
if not push[1] then
  leave(KEYS[2], ARGV[1], ARGV[2])
  return false
end
push[5] = redis.call('HGETALL', push[5])
push[6] = redis.call('HGET', push[6], 'unread')
return push
