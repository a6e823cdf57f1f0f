/**
 * Handlers by event name, with one promise: a callback that runs again on each connection does
 * not pile up the handlers it binds.
 *
 * The usual code binds inside `connected` (`client.on('connected', () => { channel.on(…) })`),
 * and `connected` comes again after each reconnect with new closures. So while a callback of a
 * repeating event runs, what it binds belongs to it, and when a later run binds the same event of
 * the same object anew, the handlers of the earlier run go. Handlers bound anywhere else stay;
 * so do those of a callback that binds on its first run only.
 *
 * Knows nothing of connections or channels.
 */

/** Events that come once for each connection. */
const REPEATING = new Set(['connected', 'pushler:subscription_succeeded']);

/** The binding whose repeating callback runs at this moment, if one does. */
let running = null;

export class Emitter {
  _bindings = new Map();

  /** Call `handler(data, meta)` on each `event`. Binding the same function twice binds it once. */
  on(event, handler) {
    const bindings = (this._bindings.get(event) ?? []).filter((binding) => !isOutlived(binding));
    if (!bindings.some((binding) => binding.handler === handler)) {
      bindings.push({ handler, owner: running, ownerRun: running?.runs, runs: 0 });
    }
    this._bindings.set(event, bindings);
    return this;
  }

  /** Forget one handler, all handlers of an event, or (without arguments) all. */
  off(event, handler) {
    if (event === undefined) this._bindings.clear();
    const bindings = this._bindings.get(event) ?? [];
    this._bindings.set(event, handler ? bindings.filter((binding) => binding.handler !== handler) : []);
    return this;
  }

  /** Call the handlers of `event`. One that throws is reported and does not stop the others. */
  _emit(event, data, meta) {
    for (const binding of this._bindings.get(event) ?? []) {
      // A handler may have removed a later one while we were on our way to it.
      if (this._bindings.get(event).includes(binding)) run(binding, REPEATING.has(event), data, meta);
    }
  }
}

function isOutlived(binding) {
  return running !== null && binding.owner === running && binding.ownerRun !== running.runs;
}

function run(binding, repeats, data, meta) {
  const outer = running;
  running = repeats ? binding : null;
  binding.runs += 1;
  try {
    binding.handler(data, meta);
  } catch (error) {
    (globalThis.reportError ?? console.error)(error);
  } finally {
    running = outer;
  }
}
