#!lua flags=allow-oom
-- Pushes whose time has come go to their lanes. Atomic, so that none is lost between the two, and none is queued twice
-- by two movers.
--
-- KEYS: 1 later
-- ARGV: 1 now, 2 most at once, 3 prefix of push keys
-- Returns: how many were moved

local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(due) do
  redis.call('ZREM', KEYS[1], id)
  if redis.call('HGET', ARGV[3] .. id, 'state') == 'deferred' then
    queue_push(ARGV[3] .. id, id)
  end
end
return #due
