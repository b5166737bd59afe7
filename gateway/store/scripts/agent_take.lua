#!lua
-- Extensions whose agents have something to be switched, each for one taker alone: two workers must not send the orders
-- of one agent out of order. Atomic, so that an extension is leased to one of two that ask at once.
--
-- KEYS: 1 extensions by due time
-- ARGV: 1 now, 2 most at once, 3 prefix of leases, 4 holder, 5 length of a lease in ms, 6 prefix of extension records
-- Returns: name and orders of each; orders are '' where the extension was erased

local taken = {}
for _, place in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])) do
  if redis.call('SET', ARGV[3] .. place, ARGV[4], 'NX', 'PX', ARGV[5]) then
    -- It comes back when its taker is gone.
    redis.call('ZADD', KEYS[1], tonumber(ARGV[1]) + tonumber(ARGV[5]), place)
    taken[#taken + 1] = place
    taken[#taken + 1] = redis.call('HGET', ARGV[6] .. place, 'agent_orders') or ''
  else
    redis.call('ZADD', KEYS[1], tonumber(ARGV[1]) + 1000, place)
  end
end
return taken
