#!lua flags=allow-oom
-- A dead letter is given up for good. Its record stays for the history of its event, as long as that is kept.
--
-- KEYS: 1 push, 2 dead letters
-- ARGV: 1 lifetime of the record in ms
-- Returns: 1 if it was a dead letter

local member = redis.call('HGET', KEYS[1], 'dead')
if not member then
  return 0
end
redis.call('ZREM', KEYS[2], member)
redis.call('HDEL', KEYS[1], 'dead')
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
