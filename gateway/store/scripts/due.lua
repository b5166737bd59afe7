#!lua flags=allow-oom
-- Pushes whose time has come go to their lanes. Atomic, so that none is lost between the two, and none is queued twice
-- by two movers.
--
-- When the clock was put back, what waits was given its time by the clock of before: a phone would ring an hour late.
-- It comes forward by as much. Movers whose clocks differ by less than a minute do not take each other for that.
--
-- KEYS: 1 later, 2 the movers' clock
-- ARGV: 1 now, 2 most at once, 3 prefix of push keys
-- Returns: how many were moved

local PUT_BACK, NOTED_EVERY = 60000, 10000
local now, seen = tonumber(ARGV[1]), tonumber(redis.call('GET', KEYS[2]) or 0)
if seen - now > PUT_BACK then
  local waiting = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf', 'WITHSCORES')
  for at = 1, #waiting, 2 do
    local due = math.max(now, tonumber(waiting[at + 1]) - (seen - now))
    redis.call('ZADD', KEYS[1], string.format('%.0f', due), waiting[at])
  end
end
if math.abs(now - seen) > NOTED_EVERY then
  redis.call('SET', KEYS[2], ARGV[1])
end

local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(due) do
  redis.call('ZREM', KEYS[1], id)
  if redis.call('HGET', ARGV[3] .. id, 'state') == 'deferred' then
    queue_push(ARGV[3] .. id, id)
  end
end
return #due
