#!lua
-- with: node hooks emit roster
-- A user's first connection of a node is signed in. Repeats change nothing.
-- ARGV: node, app, user, exclude
if is_stale(ARGV[1]) then
    return STALE
end
sign_in(ARGV[1], ARGV[2], ARGV[3], ARGV[4])
return 'OK'
