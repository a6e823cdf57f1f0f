#!lua
-- with: node beat
-- A node comes, under a name that was never used. ARGV: node, epoch for a Redis without any, the epoch that the node knew ("":
-- it has just started), what all nodes have to agree on ("": not asked here).
-- epoch  string  of the data: another one says that all was lost
-- shape  string  format:partitions
-- log    stream  `t` topic, `m` message
-- Answers SHAPE, or as `beat` does.
local shape = base .. 'shape'
if ARGV[4] ~= '' and not call('SET', shape, ARGV[4], 'NX') and call('GET', shape) ~= ARGV[4] then
    return {err = 'SHAPE this Redis holds ' .. call('GET', shape)}
end
local time = now_ms()
if call('SET', base .. 'epoch', ARGV[2], 'NX') then
    -- The log begins with an entry, so that its top is always one that can be found again.
    call('XADD', base .. 'log', '*', 't', '', 'm', '')
end
if ARGV[3] ~= '' and ARGV[3] ~= call('GET', base .. 'epoch') then
    call('HSETNX', base .. 'beat', 'rebuild_until', time + REBUILDING)
end
call('ZADD', base .. 'nodes', time + LEASE, ARGV[1])
return beat(time)
