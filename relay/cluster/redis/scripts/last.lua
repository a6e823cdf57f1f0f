#!lua flags=no-writes
-- The last event of a cache channel. ARGV: "app:channel". Answers {what publish_kept wrote, milliseconds left}, or nil.
local key = base .. 'cache:' .. ARGV[1]
local entry = call('GET', key)
return entry and {entry, call('PTTL', key)}
