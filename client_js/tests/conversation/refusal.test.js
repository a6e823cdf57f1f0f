import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as panel from '../../operator/i18n.js';
import { mayRetry, refusalOf } from '../../conversation/refusal.js';
import { HttpError } from '../../kit/http.js';
import * as widget from '../../widget/i18n.js';

const answers = [
  [0, {}, 'retrying', true],
  [503, { code: 'store_unavailable' }, 'retrying', true],
  [429, { code: 'too_many' }, 'tooMany', false],
  [409, { code: 'ticket_closed' }, 'failedClosed', false],
  [401, { code: 'login_needed' }, 'failedAccess', false],
  [403, { code: 'forbidden' }, 'failedAccess', false],
  [404, { code: 'unknown_ticket' }, 'failedAccess', false],
  [413, { code: 'body_too_large' }, 'failedLong', false],
  [422, { code: 'invalid_field', field: 'content' }, 'failedLong', false],
  [422, { code: 'invalid_field', field: 'client_id' }, 'failed', true],
  [400, {}, 'failed', true],
];

for (const [status, answer, reason, again] of answers) {
  test(`a message answered with ${status} ${answer.code ?? ''} is "${reason}"`, () => {
    const refusal = refusalOf(new HttpError(status, answer));
    assert.deepEqual([refusal, mayRetry(refusal)], [reason, again]);
    for (const { texts } of [widget, panel]) assert.ok(texts.en[refusal], refusal);
  });
}
