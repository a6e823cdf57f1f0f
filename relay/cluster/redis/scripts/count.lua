#!lua
-- with: node hooks emit roster
-- So many subscriptions to a channel are on a node. The number is absolute: repeats change nothing.
-- ARGV: node, app, channel, count, hooked (1 or 0), told (1 or 0): are subscribers told the cluster's count;
--       again (1 or 0): nothing has changed, it is asked whether the count can be told now
-- Answers 0, or in how many ms to ask again.
local node, app, channel = ARGV[1], ARGV[2], ARGV[3]
if is_stale(node) then
    return STALE
end
local is_hooked = ARGV[5] == '1'
set_count(node, app, channel, tonumber(ARGV[4]), is_hooked)
if ARGV[6] == '0' then
    return 0
end
if ARGV[7] == '0' then
    -- Whoever is new has not been told, though they may be as many as before.
    call('HDEL', base .. 'chan:' .. app .. ':' .. channel, 'told')
end
return tell_count(app, channel, is_hooked)
