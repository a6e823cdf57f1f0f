import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linkParts } from '../../conversation/links.js';

/** What of a text is shown as a link. */
const linked = (text) => linkParts(text).filter(({ href }) => href).map((part) => part.text);
const hrefs = (text) => linkParts(text).map(({ href }) => href).filter(Boolean);

test('addresses are links, what is around them is text, and nothing is lost', () => {
  assert.deepEqual(linkParts('see https://shop.example/a?b=1#c or write to help@shop.example\nthanks'), [
    { text: 'see ' },
    { text: 'https://shop.example/a?b=1#c', href: 'https://shop.example/a?b=1#c' },
    { text: ' or write to ' },
    { text: 'help@shop.example', href: 'mailto:help@shop.example' },
    { text: '\nthanks' },
  ]);
  assert.deepEqual(linkParts('no address here'), [{ text: 'no address here' }]);
  assert.deepEqual(linkParts(''), []);
});

test('an address without a scheme is asked for by https', () => {
  assert.deepEqual(hrefs('www.shop.example/x, WWW.Shop.Example'), ['https://www.shop.example/x', 'https://www.shop.example/']);
});

for (const [text, ...wanted] of [
  ['Look at http://a.example/b.', 'http://a.example/b'],
  ['Really http://a.example/b?!', 'http://a.example/b'],
  ['(see http://a.example/b)', 'http://a.example/b'],
  ['(see http://a.example/b), then', 'http://a.example/b'],
  ['(http://a.example/b),(http://c.example)', 'http://a.example/b', 'http://c.example'],
  ['http://a.example,http://b.example', 'http://a.example', 'http://b.example'],
  ['https://en.wikipedia.example/wiki/Bracket_(disambiguation)', 'https://en.wikipedia.example/wiki/Bracket_(disambiguation)'],
  ['(https://en.wikipedia.example/wiki/Bracket_(x).)', 'https://en.wikipedia.example/wiki/Bracket_(x)'],
  ['[text](http://a.example/b)', 'http://a.example/b'],
  ['http://a.example/list[0]', 'http://a.example/list[0]'],
  ['<http://a.example/b>', 'http://a.example/b'],
  ['"http://a.example/b"', 'http://a.example/b'],
  ['«http://a.example/b»', 'http://a.example/b'],
  ['http://a.example/b…', 'http://a.example/b'],
  ['http://a.example/b/', 'http://a.example/b/'],
  ['http://a.example/?a=1&b=(2', 'http://a.example/?a=1&b=(2'],
  ['http://a.example/b(', 'http://a.example/b'],
  ['http://a.example:8080/x', 'http://a.example:8080/x'],
  ['http://localhost:3000', 'http://localhost:3000'],
  ['HTTPS://A.EXAMPLE/X', 'HTTPS://A.EXAMPLE/X'],
  ['сайтhttps://a.example/ж', 'https://a.example/ж'],
  ['mailto:me@a.example', 'me@a.example'],
  ['me@a.example.', 'me@a.example'],
  ['first.last+tag@mail.a.example, other@b.example', 'first.last+tag@mail.a.example', 'other@b.example'],
]) {
  test(`the links of ${JSON.stringify(text)} end where they end`, () => {
    assert.deepEqual(linked(text), wanted);
  });
}

for (const text of [
  'javascript:alert(1)', 'JaVaScRiPt://a.example/%0aalert(1)', 'data:text/html,<script>alert(1)</script>', 'vbscript:x', 'file:///etc/passwd',
  'ftp://a.example', 'blob:https', 'xhttp://a.example', 'http://', 'http:///x', 'http://.', 'http://?', 'www.', '@', 'a@b', '@name', 'node.js', '10.5', 'http://a.example:99999/',
]) {
  test(`${JSON.stringify(text)} is text`, () => {
    assert.deepEqual(linkParts(text), [{ text }]);
  });
}

test('a link leads where it seems to lead: nothing before the host, no other slashes', () => {
  assert.deepEqual(linkParts('https://bank.example@evil.example/x').map(({ text, href }) => href ?? text), ['https://bank.example/', '@evil.example/x']);
  assert.deepEqual(linked('https://bank.example:443@evil.example'), ['https://bank.example:443']);
  assert.deepEqual(linked('https://bank.example:pass@evil.example')[0], 'https://bank.example');
  assert.deepEqual(linked('https://bank.example\\@evil.example'), ['https://bank.example']);
  assert.deepEqual(linked('https://bank.example\u2044x.evil.example'), ['https://bank.example']);
});

test('what turns the direction, or cannot be seen, ends a link', () => {
  for (const sign of ['\u202e', '\u2066', '\u200f', '\u200b', '\u00ad', '\u2028', '\u00a0', '\u3000']) {
    assert.deepEqual(linked(`https://a.example/x${sign}moc.evil`), ['https://a.example/x'], escape(sign));
  }
  assert.deepEqual(linked('https://a.exa\u202emple/x'), ['https://a.exa']);
});

test('a host of other letters is a link that says what it is asked for as', () => {
  assert.deepEqual(linkParts('https://президент.рф/news'), [
    { text: 'https://президент.рф/news', href: 'https://xn--d1abbgf6aiiy.xn--p1ai/news', title: 'https://xn--d1abbgf6aiiy.xn--p1ai/news' },
  ]);
  assert.deepEqual(hrefs('www.президент.рф'), ['https://www.xn--d1abbgf6aiiy.xn--p1ai/']);
  assert.deepEqual(hrefs('https://bücher.example'), ['https://xn--bcher-kva.example/']);
  assert.deepEqual(hrefs('https://日本語.example'), ['https://xn--wgv71a119e.example/']);
  assert.equal(linkParts('https://a.example/путь')[0].title, undefined);
});

test('letters that look alike are not mixed in a host', () => {
  for (const text of ['https://аpple.example', 'https://аррӏе.com', 'https://gοοgle.example', 'me@аpple.example', 'https://www.аррӏе.com']) {
    assert.deepEqual(linked(text), [], text);
  }
  assert.deepEqual(linked('https://apple.example/яблоко'), ['https://apple.example/яблоко']);
  assert.deepEqual(linked('почта@президент.рф'), ['почта@президент.рф']);
});

test('the parts are the whole text, whatever it is', () => {
  const pieces = ['http://', 'https://a.example', 'www.', 'me@a.example', '(', ')', '[', ']', '.', ',', ' ', '\n', '<b>', '"', 'ж', '\u202e', '👩‍👩‍👧', ':80', '/', '?', '#', '@', '\\', '%', 'é'];
  let seed = 7;
  const next = (n) => (seed = (seed * 48271) % 2147483647) % n;
  for (let round = 0; round < 3000; round += 1) {
    const text = Array.from({ length: next(12) }, () => pieces[next(pieces.length)]).join('');
    const parts = linkParts(text);
    assert.equal(parts.map((part) => part.text).join(''), text);
    for (const { href } of parts) assert.match(href ?? 'mailto:', /^(https?:\/\/|mailto:)/);
  }
});

test('the longest message is read in a moment, whatever it is made of', () => {
  const evil = ['x', '(', ')', '.', '@', 'a@', 'http://', 'www.a', 'http://a/(', 'http://a.example/))', 'a.', '-', 'ж', 'a@a.'];
  const began = process.cpuUsage();
  for (const piece of evil) linkParts(piece.repeat(4000 / piece.length));
  const { user } = process.cpuUsage(began);
  // Microseconds; it takes some 20 ms. What grew with the square of the length would take seconds.
  assert.ok(user < 1_000_000, `${user} µs`);
});
