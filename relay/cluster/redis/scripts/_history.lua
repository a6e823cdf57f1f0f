-- What is remembered of channels: see publish_kept.lua.

-- Seconds for which a channel's position is known after its newest event.
local POSITION_SECONDS = 86400

local function place_of(id)
    local ms, seq = string.match(id, '^(%d+)-(%d+)$')
    return tonumber(ms), tonumber(seq)
end

local function is_before(one, other)
    local ms, seq = place_of(one)
    local other_ms, other_seq = place_of(other)
    return ms < other_ms or ms == other_ms and seq < other_seq
end
