-- Note that a node beats; when nobody did for OUTAGE, the nodes were cut off, and get a lease's time to come back. Answers
-- {epoch, top of the log, milliseconds that the cluster goes on rebuilding, number of nodes}.
local function beat(time)
    local last = tonumber(call('HGET', base .. 'beat', 'last') or 0)
    if time - last > OUTAGE then
        call('HSET', base .. 'beat', 'quiet_until', time + LEASE)
    end
    call('HSET', base .. 'beat', 'last', time)
    local top = call('XREVRANGE', base .. 'log', '+', '-', 'COUNT', 1)[1]
    return {call('GET', base .. 'epoch'), top and top[1] or '0-0', rest_of_rebuild(), call('ZCARD', base .. 'nodes')}
end
