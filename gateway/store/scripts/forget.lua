#!lua flags=allow-oom
-- A consumer goes from the streams in which it holds nothing: deleting it there would lose its leases for ever. Streams
-- without entries go by themselves, with their consumers.
--
-- KEYS: 1 lane
-- ARGV: 1 consumer

for _, tenant in ipairs(redis.call('SMEMBERS', tenants_of(KEYS[1]))) do
  local stream = stream_of(KEYS[1], tenant)
  if #redis.call('XPENDING', stream, group, '-', '+', 1, ARGV[1]) == 0 then
    redis.call('XGROUP', 'DELCONSUMER', stream, group, ARGV[1])
  end
end
