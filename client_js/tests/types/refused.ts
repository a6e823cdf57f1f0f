/** Mistakes that the types have to find: a line below an expectation that is right after all is an error of the compiler. Never run. */

import { Channel, Members, PushlerClient } from 'pushdesk-client';
// @ts-expect-error: a part of the inside
import type { Connection } from 'pushdesk-client';

// @ts-expect-error: the key is missing
new PushlerClient({});
// @ts-expect-error: an option that does not exist
new PushlerClient({ appKey: 'k', cluster: 'eu' });
// @ts-expect-error: a port is a number
new PushlerClient({ appKey: 'k', wsPort: '6001' });
// @ts-expect-error: milliseconds, not a text
new PushlerClient({ appKey: 'k', activityTimeout: '30s' });
// @ts-expect-error: fetch knows no such credentials
new PushlerClient({ appKey: 'k', auth: { credentials: 'all' } });

const client = new PushlerClient({ appKey: 'k' });
// @ts-expect-error: it is the connection's, not ours to set
client.state = 'connected';
// @ts-expect-error: there may be no connection
client.socketId.length;
// @ts-expect-error: an event that the client does not have
client.on('conected', () => {});
// @ts-expect-error: data of another event
client.on('connected', ({ delay }) => delay);
// @ts-expect-error: private
client._channels;
// @ts-expect-error: the channel may be unknown
client.channel('news').subscribed;

const ticket = client.subscribe<{ 'message:new': { id: number } }>('private-ticket-1');
// @ts-expect-error: not one of the events that were named
ticket.on('message:nwe', () => {});
// @ts-expect-error: data has no such field
ticket.on('message:new', ({ text }) => text);
// @ts-expect-error: a client event's name starts with "client-"
ticket.trigger('typing', {});
// @ts-expect-error: this channel may have no members
ticket.members.count;
// @ts-expect-error: what was lost is known by its beginning only
ticket.on('pushler:gap', ({ until }) => until);
// @ts-expect-error: its name stays
ticket.name = 'private-ticket-2';
// @ts-expect-error: the state is not set from outside
ticket.subscribed = true;

const room = client.subscribe<object, { name: string }>('presence-room');
// @ts-expect-error: somebody may not be there
room.members.get('7').info;
// @ts-expect-error: info has no such field
room.on('pushler:member_added', ({ info }) => info.age);
// @ts-expect-error: the relay may speak of somebody unknown
room.on('pushler:member_removed', (member) => member.id);

// @ts-expect-error: subscribe() makes channels
new Channel('news', client);
// @ts-expect-error: channels make their members
new Members();
export type Inside = Connection;
