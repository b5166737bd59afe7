#!lua flags=allow-oom
-- A consumer goes, if it holds nothing: deleting it would lose its leases for ever.
--
-- KEYS: 1 lane
-- ARGV: 1 group, 2 consumer
-- Returns: 1 if it went

if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) > 0 then
  return 0
end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 1
