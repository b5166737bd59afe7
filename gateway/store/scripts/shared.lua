-- Shared by all scripts: put below the first line of each.

-- The version of an extension. It follows the clock, so that it never repeats after the extension was erased, and
-- always grows.
local function next_rev(extension_key, now)
  local rev = math.max((tonumber(redis.call('HGET', extension_key, 'rev')) or 0) + 1, tonumber(now))
  redis.call('HSET', extension_key, 'rev', string.format('%.0f', rev))
end

-- A stored push waits in its lane from now on.
local function queue_push(push_key, push_id)
  redis.call('HSET', push_key, 'state', 'queued')
  redis.call('XADD', redis.call('HGET', push_key, 'lane'), '*', 'p', push_id)
end

-- What follows a push that became untrue, where a phone has that push, or may have it: the first of its successors
-- that still holds. Those before it, or all where no phone has it, end as withdrawn.
local function follow(push_prefix, next_id, shown)
  while next_id do
    local next_key = push_prefix .. next_id
    local successor = redis.call('HMGET', next_key, 'state', 'withdrawn', 'then')
    if successor[1] ~= 'pending' then
      return
    end
    if shown and not successor[2] then
      return queue_push(next_key, next_id)
    end
    redis.call('HSET', next_key, 'state', 'withdrawn')
    next_id = successor[3]
  end
end

-- What an outcome taught about a device; void when the device has registered again, or is gone.
local function change_device(device_key, registered_at, first)
  if redis.call('HGET', device_key, 'registered_at') ~= registered_at then
    return 0
  end
  redis.call('HSET', device_key, unpack(ARGV, first))
  return 1
end
