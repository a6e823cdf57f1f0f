#!lua flags=no-writes
-- with: node
-- The ids of a channel's members.
-- ARGV: app, channel
if is_rebuilding() then
    return REBUILD
end
return call('HKEYS', base .. 'mem:' .. ARGV[1] .. ':' .. ARGV[2])
