#!lua
-- The app confirms what it showed; the first confirmation counts.
--
-- KEYS: 1 push
-- ARGV: 1 key of the extension that says so, 2 when
-- Returns: 1, or 0 if the extension has no such push

if redis.call('HGET', KEYS[1], 'extension') ~= ARGV[1] then
  return 0
end
redis.call('HSETNX', KEYS[1], 'receipt_at', ARGV[2])
return 1
