#!lua
-- with: node hooks
-- An event for back ends that one node alone knows of.
-- ARGV: app, cause, JSON of the event; then, if it is to be told once in a while only, what it is known by, and in how many ms.
-- told:<app>:<name>  string  such an event was told
if ARGV[4] and not call('SET', base .. 'told:' .. ARGV[1] .. ':' .. ARGV[4], '', 'NX', 'PX', ARGV[5]) then
    return 0
end
queue_event(ARGV[1], ARGV[2], ARGV[3])
return 1
