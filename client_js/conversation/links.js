/**
 * The addresses in a message: which parts of it are links, and where they lead. Pure: text in, values out, nothing is markup.
 *
 * A link leads to nothing but http, https and mailto, and never anywhere else than what it shows: its host is letters and digits
 * alone, so that no "name@" before it can pretend to be one; what turns the direction of text ends it.
 */

/** http(s)://…, www.… or a mail address. All repetitions are bounded or end at what cannot follow: the time is linear. */
const ADDRESS = /\b(?:https?:\/\/|www\.)[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]*(?::\d+)?(?:[/?#][^\s<>"\\\p{Cf}]*)?|[\p{L}\p{N}._%+-]{1,64}@[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63})+/giu;
/** What belongs to the sentence when it ends an address. */
const ENDS = '.,:;!?\'*»”’…';

/**
 * @param {string} text
 * @returns {{text: string, href?: string, title?: string}[]} the whole text in its order; `title`: the address as browsers
 *   ask for it, where the host is written in other letters
 */
export function linkParts(text) {
  const parts = [];
  let done = 0;
  for (let found; (found = ADDRESS.exec(text)); ) {
    const shown = withoutEnd(found[0]);
    const link = linkTo(shown);
    if (!link) continue;
    parts.push({ text: text.slice(done, found.index) }, { text: shown, ...link });
    // What was cut off may hold the next one.
    done = ADDRESS.lastIndex = found.index + shown.length;
  }
  parts.push({ text: text.slice(done) });
  return parts.filter((part) => part.text);
}

/** Without punctuation at its end, and up to the first bracket that closes what was opened before it. */
function withoutEnd(found) {
  let depth = 0;
  let end = 0;
  for (let at = 0; at < found.length; at += 1) {
    if ('([{'.includes(found[at])) depth += 1;
    else if (')]}'.includes(found[at]) && (depth -= 1) < 0) break;
    else if (!ENDS.includes(found[at])) end = at + 1;
  }
  return found.slice(0, end);
}

function linkTo(shown) {
  const [, scheme, host] = /^(https?:\/\/|.*@)?(?:www\.)?([^/?#:]*)/i.exec(shown);
  // An "а" for an "a": letters that look alike are not mixed in one host.
  if (/\p{sc=Latn}/u.test(host) && /[\p{sc=Cyrl}\p{sc=Grek}]/u.test(host)) return null;
  if (scheme?.endsWith('@')) return { href: `mailto:${shown}` };
  try {
    const { href } = new URL(scheme ? shown : `https://${shown}`);
    return /[^ -~]/.test(host) ? { href, title: href } : { href };
  } catch {
    // A port that is none, a host that no name server takes.
    return null;
  }
}
