/**
 * Server-sent events as they come in, piece by piece. Pure.
 */

/** A function that takes pieces of an event stream, and calls `emit(event, data)` for each whole event in it; data are JSON. */
export function parser(emit) {
  let rest = '';
  return (piece) => {
    const blocks = (rest + piece).split('\n\n');
    rest = blocks.pop();
    for (const block of blocks) {
      const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? [];
      if (event) emit(event, JSON.parse(data));
    }
  };
}
