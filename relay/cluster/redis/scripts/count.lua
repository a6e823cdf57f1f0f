#!lua
-- with: node hooks emit roster
-- So many subscriptions to a channel are on a node. The number is absolute: repeats change nothing.
-- ARGV: node, app, channel, count, hooked (1 or 0), told (1 or 0): are subscribers told the cluster's count;
--       again (1 or 0): nothing has changed, it is asked whether the count can be told now
-- Answers 0, or in how many ms to ask again.
if is_stale(ARGV[1]) then
    return STALE
end
return take_count(ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5] == '1', ARGV[6] == '1', ARGV[7] == '1')
