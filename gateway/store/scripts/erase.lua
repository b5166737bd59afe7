#!lua flags=allow-oom
-- The live part of an extension goes at once, so that nothing is sent to it any more; its history follows in steps.
--
-- KEYS: 1 extension record, 2 device ids, 3 inbox, 4 order of the inbox
-- ARGV: 1 prefix of device keys
-- Returns: whether there was a record, encoded ids and token entries of the devices, number of inbox items

local devices = {}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  devices[#devices + 1] = {id, redis.call('HMGET', ARGV[1] .. id, 'token_key', 'voip_key')}
  redis.call('DEL', ARGV[1] .. id)
end
local items = redis.call('ZCARD', KEYS[4])
local record = redis.call('DEL', KEYS[1])
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
return {record, devices, items}
