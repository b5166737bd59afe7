#!lua
-- The writer of everything that is decided from a reading of an extension. All or nothing, because the PBX is told
-- "stored" once for the event, its decision and its pushes; and only if the reading still holds.
--
-- KEYS: 1 extension record, 2 event record, 3.. guards: strings that hold the event id afterwards (2.. only with an event)
-- ARGV: 1 expected rev, 2 now, 3 event id, 4 lifetime of the guards in ms, 5.. writes: number of words, words
-- Returns: 'stored' | 'stale' | {'duplicate', event id of the first}
--
-- A write is a command as it stands, or one of the verbs below.

local verbs = {}

-- A push is no longer true: prefix of push keys, push id, set of later pushes, id of the push that follows where a phone
-- has it all the same ('' if none), the follower's lifetime in ms, its fields and values. One that is deferred ends here;
-- one that is queued may be on its way just now, and ends when it is settled; one that waits as a follower ends with
-- what it follows.
verbs['@withdraw'] = function(prefix, id, later, then_id, ttl, ...)
  local push = redis.call('HMGET', prefix .. id, 'state', 'withdrawn', 'maybe')
  local state, withdrawn, maybe = push[1], push[2], push[3]
  if withdrawn or (state ~= 'queued' and state ~= 'deferred' and state ~= 'pending') then
    return
  end
  redis.call('HSET', prefix .. id, 'withdrawn', '1')
  if then_id ~= '' then
    redis.call('HSET', prefix .. then_id, ...)
    redis.call('PEXPIRE', prefix .. then_id, ttl)
    redis.call('HSET', prefix .. id, 'then', then_id)
  end
  if state == 'deferred' then
    redis.call('ZREM', later, id)
    redis.call('HSET', prefix .. id, 'state', 'withdrawn')
    -- It was not accepted; a phone can only have it if an attempt got no answer.
    follow(prefix, then_id ~= '' and then_id, maybe)
  end
end

-- A push that was just written waits in its lane: lane, tenant, push id.
verbs['@enter'] = enter

-- The inbox holds so many items; the oldest go: order, items, how many stay.
verbs['@trim'] = function(order, items, most)
  local over = redis.call('ZCARD', order) - tonumber(most)
  if over > 0 then
    for _, id in ipairs(redis.call('ZRANGE', order, 0, over - 1)) do
      redis.call('HDEL', items, id, id .. ':s')
    end
    redis.call('ZREMRANGEBYRANK', order, 0, over - 1)
  end
end

-- Items older than an event id go: order, items, lexicographic bound.
verbs['@age'] = function(order, items, bound)
  for _, id in ipairs(redis.call('ZRANGEBYLEX', order, '-', bound)) do
    redis.call('HDEL', items, id, id .. ':s')
  end
  redis.call('ZREMRANGEBYLEX', order, '-', bound)
end

-- Items were seen: items, event ids. An item that is gone stays gone.
verbs['@see'] = function(items, ...)
  for _, id in ipairs({...}) do
    if redis.call('HEXISTS', items, id) == 1 then
      redis.call('HSET', items, id .. ':s', '1')
    end
  end
end

if KEYS[2] and redis.call('EXISTS', KEYS[2]) == 1 then
  return {'duplicate', ARGV[3]}
end
for i = 3, #KEYS do
  local first = redis.call('GET', KEYS[i])
  if first then
    return {'duplicate', first}
  end
end
if (redis.call('HGET', KEYS[1], 'rev') or '0') ~= ARGV[1] then
  return 'stale'
end
for i = 3, #KEYS do
  redis.call('SET', KEYS[i], ARGV[3], 'PX', ARGV[4])
end
local at = 5
while at <= #ARGV do
  local last = at + tonumber(ARGV[at])
  local verb = verbs[ARGV[at + 1]]
  if verb then
    verb(unpack(ARGV, at + 2, last))
  else
    redis.call(unpack(ARGV, at + 1, last))
  end
  at = last + 1
end
next_rev(KEYS[1], ARGV[2])
return 'stored'
