#!lua flags=allow-oom
-- Whether a node hands out the webhooks of the partition: while it says so again and again, nobody else does.
-- ARGV: node, for how many ms; 0: not any more. Answers 1, 0, or 2: now it does, and nobody did.
local key = base .. 'hooklead'
local leader = call('GET', key)
if leader and leader ~= ARGV[1] then
    return 0
end
if ARGV[2] == '0' then
    call('DEL', key)
    return 0
end
call('SET', key, ARGV[1], 'PX', ARGV[2])
return leader and 1 or 2
