/** A page's program as its author would write it: it has to be right by the types. Never run. */

import {
  type Channel,
  type ConnectionState,
  defaults,
  type Gap,
  type Member,
  type Members,
  PushlerClient,
  type PushlerClientOptions,
  type SubscriptionError,
} from 'pushdesk-client';

/** Whether two types are the same, not only compatible. `any` is the same as nothing but itself. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(answer: Same<A, B>): unknown => answer;

// What a page or Node has as its own does for an option. Without the DOM's types there is nothing to compare.
type Own<Name extends string> = typeof globalThis extends Record<Name, infer T> ? T : PushlerClientOptions[Name & keyof PushlerClientOptions];
declare const own: { WebSocket: NonNullable<Own<'WebSocket'>>; fetch: NonNullable<Own<'fetch'>> };

defaults.wsHost = 'relay.example';

const client = new PushlerClient({
  appKey: 'app-key',
  wsPort: 6001,
  wsPath: '/realtime',
  forceTLS: false,
  authEndpoint: '/auth',
  userAuthEndpoint: '/user_auth',
  auth: { headers: { 'X-Site': 'shop' }, params: { site: '1' }, credentials: 'include' },
  headersProvider: () => ({ Authorization: 'Bearer x' }),
  activityTimeout: 60_000,
  pongTimeout: 10_000,
  autoConnect: false,
  resume: false,
  WebSocket: own.WebSocket,
  fetch: own.fetch,
  random: () => 0.5,
});

same<typeof client.state, ConnectionState>(true);
same<typeof client.socketId, string | null>(true);
client
  .on('connecting', ({ attempt }) => same<typeof attempt, number>(true))
  .on('connected', ({ socketId }) => same<typeof socketId, string>(true))
  .on('reconnecting', ({ code, delay, attempt, reason }) => `${code} ${reason} ${delay + attempt}`)
  .on('disconnected', ({ code, reconnecting }) => reconnecting && code > 4000)
  .on('state_change', ({ previous, current, delay }) => {
    same<typeof previous | typeof current, ConnectionState>(true);
    same<typeof delay, number | undefined>(true);
  })
  .on('signed_in', (user) => same<typeof user.id, string>(true))
  .on('error', ({ code, message, channel }) => `${code ?? ''} ${message} ${channel ?? ''}`)
  .on('message', ({ event, channel, data, user_id: userId }) => [event, channel, data, userId]);
client.connect();
client.signin();

// Without a map of events: any name, any data.
const news = client.subscribe('news');
same<typeof news, Channel>(true);
same<typeof news.members, Members | null>(true);
same<typeof news.kind, 'public' | 'private' | 'presence'>(true);
news.on('published', (article: { title: string }) => article.title).on('pushler:cache_miss', () => {});
news.on('pushler:subscription_count', ({ subscription_count: count }) => same<typeof count, number>(true));

// With one: only those, with their data.
interface TicketEvents {
  'message:new': { message: { id: number; content: string } };
  'client-typing': { on: boolean };
}
const ticket = client.subscribe<TicketEvents>('private-ticket-1');
const onMessage = ({ message }: TicketEvents['message:new']) => void message;
ticket
  .on('message:new', onMessage)
  .on('message:new', ({ message }, meta) => {
    same<typeof message.content, string>(true);
    same<typeof meta, { userId: string } | undefined>(true);
  })
  .on('pushler:subscription_error', (error) => same<typeof error, SubscriptionError>(true))
  .on('pushler:unsubscribed', () => client.subscribe(ticket.name))
  .on('pushler:error', ({ message }) => message)
  .on('pushler:gap', (gap) => same<typeof gap, Gap>(true))
  .off('message:new', onMessage)
  .off('client-typing')
  .off();
same<ReturnType<typeof ticket.trigger>, boolean>(true);
ticket.trigger('client-typing', { on: true });
ticket.unsubscribe();

// Presence channels have members.
interface Person {
  name: string;
}
const room = client.subscribe<{ 'client-wave': { hand: string } }, Person>('presence-room');
room
  .on('pushler:subscription_succeeded', (members) => {
    same<typeof members, Members<Person>>(true);
    members.each(({ id, info }) => `${id} ${info.name}`);
  })
  .on('pushler:member_added', (member) => same<typeof member, Member<Person>>(true))
  .on('pushler:member_removed', (member) => same<typeof member, Member<Person> | null>(true))
  .on('client-wave', ({ hand }, meta) => `${meta?.userId} ${hand}`);
same<typeof room.members.me, Member<Person> | null>(true);
same<typeof room.members.map, Map<string, Member<Person>>>(true);
room.members.get(7)?.info.name.trim();

const found = client.channel<TicketEvents>('private-ticket-1');
same<typeof found, Channel<TicketEvents> | null>(true);
if (found?.subscribed) client.unsubscribe(found.name);
client.off('error').disconnect();
