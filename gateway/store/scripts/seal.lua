#!lua
-- A token is sealed anew, if it is still the one that was read. Atomic, because the device may register another one in
-- the meantime.
--
-- KEYS: 1 device
-- ARGV: 1 field, 2 as it was read, 3 as it shall be
-- Returns: 1 if it was written

if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
