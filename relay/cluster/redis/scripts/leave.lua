#!lua flags=allow-oom
-- with: node hooks emit roster
-- A member's last connection of a node has left. Repeats change nothing.
-- ARGV: node, app, channel, user, hand-over in ms, hooked (1 or 0)
if is_stale(ARGV[1]) then
    return STALE
end
leave(ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6] == '1')
return 'OK'
