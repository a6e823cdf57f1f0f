#!lua flags=allow-oom
-- with: node hooks emit roster
-- Take back what dead nodes had. A node whose lease is over is unknown from here on: it must not come back to half of what it
-- had. Not done while an outage of Redis, or a jump of its clock, may be what ended the leases.
-- ARGV: so many entries and members at most, then the ids of the apps that have webhooks; without any ARGV nothing is taken
-- back. Answers 1 if there is something (more) to take back, or 0.
local now = now_ms()
if is_quiet(now) then
    return 0
end
local nodes, dying = base .. 'nodes', base .. 'dying'
for _, node in ipairs(call('ZRANGEBYSCORE', nodes, '-inf', now)) do
    call('ZREM', nodes, node)
    call('SADD', dying, node)
end
local node = call('SRANDMEMBER', dying)
if not node then
    return 0
end
if #ARGV == 0 then
    return 1
end

local hooked = {}
for at = 2, #ARGV do
    hooked[ARGV[at]] = true
end

local function take_back_channel(app, channel, most)
    local name = app .. ':' .. channel
    local users = call('SRANDMEMBER', base .. 'held:' .. name .. ':' .. node, most)
    for _, user in ipairs(users) do
        leave(node, app, channel, user, 0, hooked[app])
    end
    if #users < most then
        set_count(node, app, channel, 0, hooked[app])
        forget_if_empty(node, app, channel, name)
        -- It has been told before, so the app is one whose subscribers are told.
        if call('HEXISTS', base .. 'chan:' .. name, 'at') == 1 then
            call('HDEL', base .. 'chan:' .. name, 'told')
            tell_count_later(app, channel, hooked[app])
        end
    end
    return #users
end

local function take_back_load(app)
    local key = base .. 'load:' .. app
    local connections = call('HGET', key, node)
    if connections then
        call('HINCRBY', key, '', '-' .. connections)
        call('HDEL', key, node)
    end
end

local idx, rest = base .. 'idx:' .. node, tonumber(ARGV[1])
for _, entry in ipairs(call('SRANDMEMBER', idx, rest)) do
    local kind, app, what = entry:match('^(.)(%Z*)%z(.*)$')
    if kind == 'l' then
        take_back_load(app)
        call('SREM', idx, entry)
    elseif kind == 'u' then
        sign_out(node, app, what)
    else
        rest = rest - take_back_channel(app, what, rest)
    end
    rest = rest - 1
    if rest <= 0 then
        break
    end
end
if call('EXISTS', idx) == 0 then
    call('SREM', dying, node)
end
return call('EXISTS', dying)
