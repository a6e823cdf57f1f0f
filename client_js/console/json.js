/**
 * Data for reading. Pure.
 *
 * JSON is laid out token by token, not parsed and written anew: numbers stay as they were sent, where
 * JavaScript would round large ones; only escapes are taken out of texts.
 */

const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;
const OPENS = new Set(['{', '[']);
const CLOSES = new Set(['}', ']']);

/** JSON on several lines, JSON inside of a JSON string too; any other text as it is. */
export function pretty(text) {
  return laidOut(text, (token, { depth, isEmpty }) => {
    if (OPENS.has(token)) return isEmpty ? token : token + line(depth + 1);
    if (token === ',') return token + line(depth);
    if (token === ':') return ': ';
    return token;
  });
}

/** JSON on one line; any other text as it is. */
export function compact(text) {
  return laidOut(text, (token) => (token === ',' || token === ':' ? `${token} ` : token), '');
}

/** Whether a text is JSON. */
export function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Deeper levels stand below each other: somebody may send a thousand brackets. */
const DEEPEST = 40;

const line = (depth) => `\n${'  '.repeat(Math.min(depth, DEEPEST))}`;

function laidOut(text, write, beforeClose = null) {
  if (!isJson(text)) return text;
  const tokens = text.match(TOKENS);
  // A JSON string: what it holds is what was sent.
  if (tokens.length === 1 && tokens[0].startsWith('"')) return laidOut(JSON.parse(text), write, beforeClose);
  let depth = 0;
  let result = '';
  tokens.forEach((token, at) => {
    const isEmpty = CLOSES.has(tokens[at + 1]);
    if (CLOSES.has(token)) {
      depth -= 1;
      result += (OPENS.has(tokens[at - 1]) ? '' : (beforeClose ?? line(depth))) + token;
      return;
    }
    result += write(token.startsWith('"') ? JSON.stringify(JSON.parse(token)) : token, { depth, isEmpty });
    if (OPENS.has(token)) depth += 1;
  });
  return result;
}
