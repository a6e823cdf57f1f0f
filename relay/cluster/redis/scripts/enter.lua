#!lua
-- with: node hooks emit roster
-- A member's first connection of a node. Repeats change nothing.
-- ARGV: node, app, channel, user, user_info, limit, exclude, hooked (1 or 0), snapshot (1 or 0).
-- Answers FULL; OK; or, with a snapshot, all members, a list of user, user_info, … (the one who came among them).
local node, app, channel = ARGV[1], ARGV[2], ARGV[3]
if is_stale(node) then
    return STALE
end
if not enter(node, app, channel, ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7], ARGV[8] == '1') then
    return 'FULL'
end
if ARGV[9] == '1' then
    return call('HGETALL', base .. 'mem:' .. app .. ':' .. channel)
end
return 'OK'
