-- Who is where, changed and told in one step. NAME is `<app>:<channel>`.
-- dying             set   nodes that are taken back, and are unknown
-- chan:NAME         hash  node → its subscriptions; '' → all of them; told: the count that subscribers know; at: since when, ms
-- occ:<app>         zset  the occupied channels, scores 0
-- mem:NAME          hash  user → user_info             ref:NAME  hash  user → how many nodes hold them
-- held:NAME:<node>  set   the users whom a node holds there
-- idx:<node>        set   `c<app>\0<channel>`, `u<app>\0<user>`: where a node holds something
-- user:<app>:<user> set   the nodes where the user is signed in
-- going             zset  by when it is due, ms: `v<app>\0<channel>`, `m<app>\0<channel>\0<user>`,
--                         `h<hooked><app>\0<channel>\0<node>\0<user>`, `n<hooked><app>\0<channel>`: see sweep.lua

-- Milliseconds in which whoever left may come back before a back end hears of it (D): relay/protocol/webhooks.py.
local GRACE = @GRACE@
-- A9: relay/cluster/counts.py; times in milliseconds.
local SMALL_CHANNEL, SMALL_INTERVAL, INTERVAL = @SMALL_CHANNEL@, @SMALL_INTERVAL@, @INTERVAL@

local function time_of(field)
    return tonumber(call('HGET', base .. 'beat', field) or 0)
end

-- Tell the nodes: `kind` is one letter, `body` as relay/cluster/push.py has it.
local function tell(topic, kind, exclude, body)
    emit(base .. topic, kind .. exclude .. '\0' .. body)
end

-- Somebody came: back ends are told, unless they have not heard that it was gone.
local function came(is_hooked, entry, app, event)
    if is_hooked and call('ZREM', base .. 'going', entry) == 0 then
        tell_back_ends(app, event)
    end
end

-- Somebody left: back ends are told by `sweep` when the grace is over.
local function went(is_hooked, entry)
    if is_hooked and not is_rebuilding() then
        call('ZADD', base .. 'going', now_ms() + GRACE, entry)
    end
end

local function holds(node, app, channel)
    call('SADD', base .. 'idx:' .. node, 'c' .. app .. '\0' .. channel)
end

-- `node` may hold nothing of the channel any more.
local function forget_if_empty(node, app, channel, name)
    if call('HEXISTS', base .. 'chan:' .. name, node) == 0
        and call('EXISTS', base .. 'held:' .. name .. ':' .. node) == 0 then
        call('SREM', base .. 'idx:' .. node, 'c' .. app .. '\0' .. channel)
    end
end

-- Whether they are in now; not, when the channel has `limit` members.
local function enter(node, app, channel, user, info, limit, exclude, is_hooked)
    local name = app .. ':' .. channel
    local held, mem = base .. 'held:' .. name .. ':' .. node, base .. 'mem:' .. name
    if call('SADD', held, user) == 0 then
        return true
    end
    local is_new = call('HEXISTS', mem, user) == 0
    if is_new and call('HLEN', mem) >= limit then
        call('SREM', held, user)
        return false
    end
    call('HINCRBY', base .. 'ref:' .. name, user, 1)
    holds(node, app, channel)
    if not is_new then
        return true
    end
    call('HSET', mem, user, info)
    tell('t:' .. name, 'a', exclude, cmsgpack.pack({user, info}))
    came(is_hooked, 'm' .. app .. '\0' .. channel .. '\0' .. user, app,
        {name = 'member_added', channel = channel, user_id = user})
    return true
end

-- One node less holds the user.
local function let_go(app, channel, user, is_hooked)
    local name = app .. ':' .. channel
    if call('HINCRBY', base .. 'ref:' .. name, user, -1) > 0 then
        return
    end
    call('HDEL', base .. 'ref:' .. name, user)
    call('HDEL', base .. 'mem:' .. name, user)
    tell('t:' .. name, 'r', '', cmsgpack.pack(user))
    went(is_hooked, 'm' .. app .. '\0' .. channel .. '\0' .. user)
end

local function leave(node, app, channel, user, handover, is_hooked)
    local name = app .. ':' .. channel
    if call('SREM', base .. 'held:' .. name .. ':' .. node, user) == 0 then
        return
    end
    if handover > 0 then
        local entry = 'h' .. (is_hooked and '1' or '0') .. app .. '\0' .. channel .. '\0' .. node .. '\0' .. user
        -- Handed over twice, it is kept for later, and once.
        if call('ZADD', base .. 'going', now_ms() + handover, entry) == 0 then
            let_go(app, channel, user, is_hooked)
        end
    else
        let_go(app, channel, user, is_hooked)
    end
    forget_if_empty(node, app, channel, name)
end

-- `count` is the node's, absolute.
local function set_count(node, app, channel, count, is_hooked)
    local name = app .. ':' .. channel
    local chan = base .. 'chan:' .. name
    local was = tonumber(call('HGET', chan, node) or 0)
    if count == was then
        return
    end
    local total = call('HINCRBY', chan, '', count - was)
    if count > 0 then
        call('HSET', chan, node, count)
        holds(node, app, channel)
    else
        call('HDEL', chan, node)
        forget_if_empty(node, app, channel, name)
    end
    if total == 0 then
        call('ZREM', base .. 'occ:' .. app, channel)
        call('HDEL', chan, '', 'told')
        -- When a count was told last is remembered while it matters.
        call('PEXPIRE', chan, INTERVAL)
        went(is_hooked, 'v' .. app .. '\0' .. channel)
    elseif total == count - was then
        call('ZADD', base .. 'occ:' .. app, 0, channel)
        call('PERSIST', chan)
        came(is_hooked, 'v' .. app .. '\0' .. channel, app, {name = 'channel_occupied', channel = channel})
    end
end

-- Tell subscribers how many they are, if they do not know and it is time (A9). Answers 0, or in how many ms to ask again.
local function tell_count(app, channel, is_hooked)
    local name = app .. ':' .. channel
    local chan = base .. 'chan:' .. name
    local total = tonumber(call('HGET', chan, '') or 0)
    if total == 0 or call('HEXISTS', chan, 'told') == 1 then
        return 0
    end
    local rebuild, now = rest_of_rebuild(), now_ms()
    if rebuild > 0 then
        return rebuild
    end
    local interval = total <= SMALL_CHANNEL and SMALL_INTERVAL or INTERVAL
    local rest = tonumber(call('HGET', chan, 'at') or 0) + interval - now
    -- A clock that was set back must not keep it for longer.
    if rest > 0 and rest <= interval then
        return rest
    end
    call('HSET', chan, 'told', total, 'at', now)
    tell('t:' .. name, 'n', '', cmsgpack.pack(total))
    if is_hooked then
        tell_back_ends(app, {name = 'subscription_count', channel = channel, subscription_count = total})
    end
    return 0
end

-- A node says how many subscriptions it has: see count.lua.
local function take_count(node, app, channel, count, is_hooked, is_told, is_again)
    set_count(node, app, channel, count, is_hooked)
    if not is_told then
        return 0
    end
    if not is_again then
        -- Whoever is new has not been told, though they may be as many as before.
        call('HDEL', base .. 'chan:' .. app .. ':' .. channel, 'told')
    end
    return tell_count(app, channel, is_hooked)
end

-- The count is to be told, and no node asks again for it: `sweep` does.
local function tell_count_later(app, channel, is_hooked)
    local rest = tell_count(app, channel, is_hooked)
    if rest > 0 then
        call('ZADD', base .. 'going', now_ms() + rest, 'n' .. (is_hooked and '1' or '0') .. app .. '\0' .. channel)
    end
end

local function sign_in(node, app, user, exclude)
    local key = base .. 'user:' .. app .. ':' .. user
    local nodes = call('SCARD', key)
    if call('SADD', key, node) == 1 then
        call('SADD', base .. 'idx:' .. node, 'u' .. app .. '\0' .. user)
        if nodes == 0 then
            tell('u:' .. app .. ':' .. user, 'o', exclude, '')
        end
    end
end

local function sign_out(node, app, user)
    local key = base .. 'user:' .. app .. ':' .. user
    if call('SREM', key, node) == 1 then
        call('SREM', base .. 'idx:' .. node, 'u' .. app .. '\0' .. user)
        if call('EXISTS', key) == 0 then
            tell('u:' .. app .. ':' .. user, 'f', '', '')
        end
    end
end

-- Whether an outage of Redis, or a jump of its clock, may be what ended leases and graces: who could not beat could not come
-- back either.
local function is_quiet(now)
    return now < time_of('quiet_until') or now - time_of('last') > OUTAGE
end
