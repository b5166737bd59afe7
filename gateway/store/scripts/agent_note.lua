#!lua flags=allow-oom
-- What came of an attempt, and the end of its lease. Nothing is noted when the presence changed meanwhile: the orders
-- that the attempt belonged to are withdrawn then, and the new ones are due at once.
--
-- KEYS: 1 extension record, 2 extensions by due time, 3 lease
-- ARGV: 1 holder, 2 name of the extension, 3 orders as they were taken, 4 orders as they are now ('': the same),
--       5 due ('': none waits), 6 now
-- Returns: 1, or 0 if the orders were others

if redis.call('GET', KEYS[3]) == ARGV[1] then
  redis.call('DEL', KEYS[3])
end
local orders = redis.call('HGET', KEYS[1], 'agent_orders') or ''
if orders ~= ARGV[3] then
  redis.call('ZADD', KEYS[2], ARGV[6], ARGV[2])
  return 0
end
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[1], 'agent_orders', ARGV[4])
  next_rev(KEYS[1], ARGV[6])
end
if ARGV[5] == '' then
  redis.call('ZREM', KEYS[2], ARGV[2])
else
  redis.call('ZADD', KEYS[2], ARGV[5], ARGV[2])
end
return 1
