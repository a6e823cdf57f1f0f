/**
 * The public types of PushlerClient. What is not declared here is not for pages: names with a leading underscore are private
 * and have other names in the bundles.
 *
 * Needs no library beyond ES2022: sockets, requests and answers are described by what the client uses of them.
 */

export {};

// --- Options ---

/** What the client asks of a WebSocket. The browser's has it, and so has the one of the package `ws`. */
export interface SocketLike {
  readonly readyState: number;
  onmessage: any;
  onclose: any;
  onerror: any;
  send(text: string): void;
  close(): void;
}

/** The request for an authorisation, as `fetch` takes it. `signal` is an AbortSignal. */
export interface AuthRequest {
  method: 'POST';
  credentials: Credentials;
  headers: Record<string, string>;
  /** `application/x-www-form-urlencoded`: socket_id, channel_name (not for sign-in) and `auth.params`. */
  body: string;
  signal: any;
}

/** What is read of the answer: 200 with `{auth, channel_data?}`, for sign-in `{auth, user_data}`. */
export interface AuthResponse {
  readonly status: number;
  json(): Promise<unknown>;
}

export type Credentials = 'omit' | 'same-origin' | 'include';

export interface PushlerClientOptions {
  /** The application's key. */
  appKey: string;
  /** The relay's host. Default: the page's. */
  wsHost?: string;
  /** The relay's port. Default: 443 with TLS, else 6001. */
  wsPort?: number;
  /** What stands before `/app/KEY` in the relay's address, `''` by default. */
  wsPath?: string;
  /** `wss:` instead of `ws:`. Default: as the page was loaded. */
  forceTLS?: boolean;
  /** Where private and presence channels are authorised. Default: `/auth`. */
  authEndpoint?: string;
  /** Where {@link PushlerClient.signin} is answered. Default: `/user_auth`. */
  userAuthEndpoint?: string;
  /** What is added to those two requests. `credentials` is `same-origin` by default. */
  auth?: { headers?: Record<string, string>; params?: Record<string, string>; credentials?: Credentials };
  /** Headers that are asked for anew before each of those requests. They win over `auth.headers`. */
  headersProvider?: () => Record<string, string>;
  /** Milliseconds of silence after which the client asks whether the relay is there. Default: 120,000; the relay may ask for less. */
  activityTimeout?: number;
  /** Milliseconds that the relay has for the answer. Default: 30,000. */
  pongTimeout?: number;
  /** `false`: wait for {@link PushlerClient.connect}. */
  autoConnect?: boolean;
  /**
   * `false`: do not ask for what was missed between two connections. By default the client does; a relay that keeps the history of
   * the channel then sends it, and of what was lost all the same `pushler:gap` tells. Other Pusher servers pass over the question.
   */
  resume?: boolean;
  /** Default: the global one. Without one the constructor throws a TypeError. */
  WebSocket?: new (url: string) => SocketLike;
  /** Default: the global one. */
  fetch?: (url: string, init: AuthRequest) => Promise<AuthResponse>;
  /** In [0, 1), for the pauses before attempts. Default: `Math.random`. */
  random?: () => number;
}

/** Values for options that a page gives once for all its clients. The constructor's own win. */
export const defaults: Partial<PushlerClientOptions>;

// --- Handlers ---

/** What comes with an event beside its data. */
export interface EventMeta {
  /** Who sent a client event of a presence channel. */
  userId: string;
}

/** Names and data of an application's own events; the default knows none of them and takes all. */
export type AnyEvents = Record<string, any>;

type Data<Known, Own, E> = E extends keyof Known ? Known[E] : E extends keyof Own ? Own[E] : never;

declare class Emitter<Known, Own> {
  /**
   * Call `handler` on each `event`. Binding the same function twice binds it once. What is bound while a handler of `connected`
   * or `pushler:subscription_succeeded` runs replaces what the same handler bound on the connection before.
   */
  on<E extends (keyof Known | keyof Own) & string>(
    event: E,
    handler: (data: Data<Known, Own, E>, meta: EventMeta | undefined) => void,
  ): this;

  /** Forget one handler, all handlers of an event, or (without arguments) all. */
  off(event?: (keyof Known | keyof Own) & string, handler?: (data: any, meta: any) => void): this;
}

// --- The client ---

export type ConnectionState = 'initialized' | 'connecting' | 'connected' | 'reconnecting' | 'disconnected';

/** A loss: the code and reason of the close, and whether the client is coming back by itself. */
export interface Loss {
  code: number;
  reason: string;
  reconnecting: boolean;
}

/** A pause before the next attempt: `delay` in milliseconds, `attempt` from 1. */
export interface Pause {
  code: number;
  reason: string;
  delay: number;
  attempt: number;
}

/** What went wrong. `code`: the relay's, the status of the application's server for a sign-in, or null. */
export interface PushlerError {
  code: number | null;
  message: string;
  channel?: string | undefined;
}

/** A frame of the relay with its data decoded. */
export interface Message {
  event: string;
  channel?: string;
  data?: any;
  user_id?: string;
  /** Of events of channels with a history: `EPOCH.MS-SEQ`. */
  id?: string;
}

export interface ClientEvents {
  connecting: { attempt: number };
  /** Comes with each connection. */
  connected: { socketId: string };
  /** An established connection is gone, or the client gave up. */
  disconnected: Loss;
  reconnecting: Pause;
  /** Any of the above; beside the states, what the event of the present one carries. */
  state_change: { previous: ConnectionState; current: ConnectionState } & Partial<Loss & Pause & { socketId: string }>;
  /** The relay knows who we are: the `user_data` that the application's server signed. */
  signed_in: { id: string; [field: string]: any };
  error: PushlerError;
  /** Everything that the relay sends, but what is about the connection itself. */
  message: Message;
}

/** A connection to the relay that keeps coming back, with its channels. */
export class PushlerClient extends Emitter<ClientEvents, {}> {
  /** Connects by itself, a moment after the handlers that are bound right away. */
  constructor(options: PushlerClientOptions);

  readonly state: ConnectionState;
  /** Of the present connection; null without one. It changes with each reconnect. */
  readonly socketId: string | null;

  /** Start, unless it is under way; also after {@link disconnect} and after a refusal for good. */
  connect(): void;
  /** Stop for good, until {@link connect}. The channels are kept and joined again then. */
  disconnect(): void;
  /** Tell the relay on each connection who we are, by the word of `userAuthEndpoint`. */
  signin(): void;

  /** A channel that was subscribed to, or null. */
  channel<E extends object = AnyEvents, Info = any>(name: `presence-${string}`): Channel<E, Members<Info>> | null;
  channel<E extends object = AnyEvents>(name: string): Channel<E> | null;

  /**
   * Join a channel, now or as soon as there is a connection, and again on each later one. A name always means one channel.
   * `E`, if given, has the names and data of the application's events there, and no others can be bound.
   */
  subscribe<E extends object = AnyEvents, Info = any>(name: `presence-${string}`): Channel<E, Members<Info>>;
  subscribe<E extends object = AnyEvents>(name: string): Channel<E>;

  /** Leave a channel. Its handlers go with it: a later `subscribe` begins with none. */
  unsubscribe(name: string): void;
}

// --- Channels ---

/** Why a channel was not joined. */
export interface SubscriptionError {
  /** `AuthError` when the application's server refused or did not answer, else the relay's word. */
  type: string;
  error: string;
  /** Of the HTTP answer or the relay's own; 0: no answer at all. */
  status: number;
  /** Milliseconds until the client asks again by itself; null or absent: on the next connection, or the next `subscribe`. */
  retryIn?: number | null;
}

/** Events that followed the one with the id `since` may be missing and will not come. */
export interface Gap {
  channel: string;
  since: string;
}

export interface ChannelEvents<M extends Members | null> {
  /** Comes with each connection. Of presence channels: the members. */
  'pushler:subscription_succeeded': M extends Members ? M : Record<string, never>;
  'pushler:subscription_error': SubscriptionError;
  /** The application has taken the channel from this user. */
  'pushler:unsubscribed': Record<string, never>;
  /**
   * Events were lost over a reconnect, more than the relay remembers: the page asks its own server. Comes after
   * `pushler:subscription_succeeded`, only for channels of which the relay keeps a history, and not with `resume: false`.
   */
  'pushler:gap': Gap;
  'pushler:member_added': MemberOf<M>;
  /** Null: the relay spoke of somebody who was not known to be there. */
  'pushler:member_removed': MemberOf<M> | null;
  /** The relay refused something about this channel, a client event for example. */
  'pushler:error': PushlerError;
  'pushler:cache_miss': Record<string, never>;
  'pushler:subscription_count': { subscription_count: number };
}

type MemberOf<M> = M extends Members<infer Info> ? Member<Info> : never;

/** One channel: its handlers, whether it is joined, its members. {@link PushlerClient.subscribe} makes it. */
export class Channel<E extends object = AnyEvents, M extends Members | null = Members | null> extends Emitter<ChannelEvents<M>, E> {
  private constructor();

  readonly name: string;
  /** By the name's prefix. Encrypted and cache channels are of the kind that their prefix begins with. */
  readonly kind: 'public' | 'private' | 'presence';
  /** Null for channels that are not presence channels. */
  readonly members: M;
  /** Whether the relay has confirmed it on the present connection. */
  readonly subscribed: boolean;

  /** See {@link PushlerClient.unsubscribe}. */
  unsubscribe(): void;

  /**
   * Send a client event to the other subscribers.
   * @returns false when the channel is not joined at the moment: nothing was sent
   * @throws TypeError for another name than `client-…` and for a public channel
   */
  trigger(event: `client-${string}`, data?: unknown): boolean;
}

/** A member of a presence channel; `info` is what the application's server signed as `user_info`. */
export interface Member<Info = any> {
  id: string;
  info: Info;
}

/** Who is in a presence channel. */
export class Members<Info = any> {
  private constructor();

  /** By id, in the order of the confirmation and of coming. Made anew with each confirmation. */
  readonly map: Map<string, Member<Info>>;
  /** Null before the first authorisation. */
  readonly myId: string | null;
  readonly count: number;
  /** Null before the first confirmation. */
  readonly me: Member<Info> | null;

  get(id: string | number): Member<Info> | null;
  each(callback: (member: Member<Info>) => void): void;
}
