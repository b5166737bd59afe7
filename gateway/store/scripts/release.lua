#!lua flags=allow-oom
-- An entry of the token index goes, if it still names this owner.
--
-- KEYS: 1 entry of the index
-- ARGV: 1 owner
-- Returns: 1 if it went

if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
