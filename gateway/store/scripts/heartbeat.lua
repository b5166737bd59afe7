#!lua
-- The app is in the foreground, or no more. Atomic, because a device that was deleted meanwhile must not come back as a
-- stump. It leaves the extension's version alone: no decision that is under way has to be made again for it.
--
-- KEYS: 1 device
-- ARGV: 1 when, or '' for no more
-- Returns: 1, or 0 if there is no such device

if redis.call('HEXISTS', KEYS[1], 'doc') == 0 then
  return 0
end
if ARGV[1] == '' then
  redis.call('HDEL', KEYS[1], 'foreground_at')
else
  redis.call('HSET', KEYS[1], 'foreground_at', ARGV[1])
end
return 1
