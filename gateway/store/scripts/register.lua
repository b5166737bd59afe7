#!lua
-- A device is written: its record, its place among the extension's devices, the extension's version. Atomic, because
-- the limit of devices counts, and a reading of the extension sees all of it or nothing.
--
-- KEYS: 1 extension record, 2 device ids, 3 device
-- ARGV: 1 encoded device id, 2 most devices, 3 now, 4.. fields and values
-- Returns: 'full' | {created, key of its token's owner until now or nil, key of its VoIP token's owner or nil}

local created = redis.call('SADD', KEYS[2], ARGV[1])
if created == 1 and redis.call('SCARD', KEYS[2]) > tonumber(ARGV[2]) then
  redis.call('SREM', KEYS[2], ARGV[1])
  return 'full'
end
local owned = redis.call('HMGET', KEYS[3], 'token_key', 'voip_key', 'last_accepted_at', 'foreground_at')
redis.call('DEL', KEYS[3])
redis.call('HSET', KEYS[3], unpack(ARGV, 4))
for at, field in pairs({[3] = 'last_accepted_at', [4] = 'foreground_at'}) do
  if owned[at] then
    redis.call('HSET', KEYS[3], field, owned[at])
  end
end
next_rev(KEYS[1], ARGV[3])
return {created, owned[1], owned[2]}
