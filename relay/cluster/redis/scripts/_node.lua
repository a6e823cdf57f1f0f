-- nodes  zset    node by the end of its lease (Redis' ms)
-- beat   hash    `last` beat of any node, `quiet_until` nobody is taken for dead, `rebuild_until` nothing is an event (ms)

-- Milliseconds: of a lease; without any node's beat, after which Redis was away and nobody dead; in which the nodes tell an
-- emptied Redis what they hold.
local LEASE, OUTAGE, REBUILDING = @LEASE@, @OUTAGE@, @REBUILDING@
local STALE = {err = 'STALE the node has no lease here'}
local REBUILD = {err = 'REBUILD the cluster is being rebuilt'}

-- Redis' time in milliseconds.
local function now_ms()
    local time = call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Redis' time in microseconds, as text.
local function now_us()
    local time = call('TIME')
    return string.format('%.0f', time[1] * 1000000 + time[2])
end

-- Whether a node has no lease here, or lost it: what it says of its holdings must not be written, as nobody would take it
-- back. The script then answers STALE.
local function is_stale(node)
    return not call('ZSCORE', base .. 'nodes', node)
end

-- For how many milliseconds the nodes go on telling an emptied Redis what they hold, at most.
local function rest_of_rebuild()
    local until_ms = call('HGET', base .. 'beat', 'rebuild_until')
    return until_ms and math.max(0, tonumber(until_ms) - now_ms()) or 0
end

-- While they do nothing of it is an event, and nobody can say who is where: reads answer REBUILD.
local function is_rebuilding()
    return rest_of_rebuild() > 0
end
