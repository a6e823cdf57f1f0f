#!lua
-- with: node
-- A node tells how many connections its apps have. ARGV: node, then app, connections, …
-- load:<app>  hash  node → connections, "" → their sum       idx:<node> has "l<app> NUL"
-- Answers STALE, or the sums in the order of the apps.
local node, sums = ARGV[1], {}
if is_stale(node) then
    return STALE
end
for at = 2, #ARGV, 2 do
    local key, mine = base .. 'load:' .. ARGV[at], tonumber(ARGV[at + 1])
    local before = tonumber(call('HGET', key, node) or 0)
    if mine ~= before then
        call('HINCRBY', key, '', mine - before)
        if mine == 0 then
            call('HDEL', key, node)
            call('SREM', base .. 'idx:' .. node, 'l' .. ARGV[at] .. '\0')
        else
            call('HSET', key, node, mine)
            call('SADD', base .. 'idx:' .. node, 'l' .. ARGV[at] .. '\0')
        end
    end
    sums[#sums + 1] = tonumber(call('HGET', key, '') or 0)
end
return sums
