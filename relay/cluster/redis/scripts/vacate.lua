#!lua flags=allow-oom
-- with: node hooks emit roster
-- No subscription to a channel is left on a node: what `count` does with 0, also where Redis has no memory for anything new.
-- ARGV and answer as those of `count`.
if is_stale(ARGV[1]) then
    return STALE
end
return take_count(ARGV[1], ARGV[2], ARGV[3], 0, ARGV[5] == '1', ARGV[6] == '1', ARGV[7] == '1')
