#!lua flags=allow-oom
-- A device is deleted, if it still holds the token for which it has to go. Atomic, because it may have registered
-- again with another token in the meantime.
--
-- KEYS: 1 extension record, 2 device ids, 3 device
-- ARGV: 1 encoded device id, 2 now, 3 key of the token's entry in the index ('': whatever it holds)
-- Returns: nil if nothing was deleted, else the keys of its tokens' entries

local owned = redis.call('HMGET', KEYS[3], 'token_key', 'voip_key')
if not owned[1] or (ARGV[3] ~= '' and owned[1] ~= ARGV[3] and owned[2] ~= ARGV[3]) then
  return false
end
redis.call('DEL', KEYS[3])
redis.call('SREM', KEYS[2], ARGV[1])
next_rev(KEYS[1], ARGV[2])
return owned
