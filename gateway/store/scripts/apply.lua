#!lua flags=allow-oom
-- What an outcome taught about a device, outside of a settlement. Atomic, because it is void as soon as the device has
-- registered again.
--
-- KEYS: 1 extension record, 2 device
-- ARGV: 1 registered_at, 2 now, 3.. fields and values
-- Returns: 1 if it was written

local changed = change_device(KEYS[2], ARGV[1], 3)
if changed == 1 then
  next_rev(KEYS[1], ARGV[2])
end
return changed
