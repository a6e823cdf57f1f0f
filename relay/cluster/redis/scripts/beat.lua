#!lua flags=allow-oom
-- with: node beat
-- A node renews its lease. ARGV: node. Answers STALE, or {epoch, top of the log, ms of rebuilding, number of nodes}.
if is_stale(ARGV[1]) then
    return STALE
end
local time = now_ms()
call('ZADD', base .. 'nodes', time + LEASE, ARGV[1])
return beat(time)
