#!lua
-- A dead letter gets another life, with its attempts forgiven. Refused when it is none, is withdrawn, is past its
-- deadline, or when its extension has changed since somebody looked whether it still holds.
--
-- KEYS: 1 push, 2 dead letters
-- ARGV: 1 push id, 2 now, 3 lifetime of the record in ms, 4 expected rev of the extension ('': any)
-- Returns: 1 if it is queued again

local push = redis.call('HMGET', KEYS[1], 'state', 'withdrawn', 'deadline', 'dead', 'extension')
if push[1] ~= 'dead' or not push[4] or push[2] or tonumber(push[3]) < tonumber(ARGV[2]) then
  return 0
end
if ARGV[4] ~= '' and (redis.call('HGET', push[5], 'rev') or '0') ~= ARGV[4] then
  return 0
end
redis.call('ZREM', KEYS[2], push[4])
redis.call('HSET', KEYS[1], 'counted', '0')
redis.call('HDEL', KEYS[1], 'dead')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
queue_push(KEYS[1], ARGV[1])
next_rev(push[5], ARGV[2])
return 1
