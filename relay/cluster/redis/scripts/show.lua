#!lua flags=no-writes
-- with: node
-- One channel.
-- ARGV: app, channel
-- Answers nil: it is not occupied; or its subscriptions and its members.
if is_rebuilding() then
    return REBUILD
end
local name = ARGV[1] .. ':' .. ARGV[2]
local subscriptions = call('HGET', base .. 'chan:' .. name, '')
if not subscriptions then
    return false
end
return {tonumber(subscriptions), call('HLEN', base .. 'mem:' .. name)}
