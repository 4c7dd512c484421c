/** The login page: exchanges the server's token for a cookie. The page itself stores nothing. */

import '../language/page-language.ts';

import { t } from '../language/translate.ts';
import { element } from '../lib/dom.ts';
import { serverUrl } from '../lib/server-url.ts';

const form = element('login', HTMLFormElement);
const token = element('token', HTMLInputElement);
const message = element('message', HTMLParagraphElement);

async function logIn(): Promise<void> {
  const answer = await fetch(serverUrl('/api/login'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token: token.value.trim(), framed: window !== window.top }),
  }).catch(() => null);
  if (answer?.ok) {
    location.reload();
    return;
  }
  message.hidden = false;
  message.textContent = answer === null ? t('The server does not answer. Try again.') : refusal(answer);
  token.select();
}

function refusal({ status, headers }: Response): string {
  if (status === 401) return t('That is not the token of this server.');
  if (status === 429)
    return t('Too many wrong tokens came from here. Try again in {{count}} seconds.', {
      count: Number(headers.get('retry-after') ?? 60),
    });
  return t('The server does not answer as it should. Try again.');
}

token.focus();
form.addEventListener('submit', (event) => {
  event.preventDefault();
  void logIn();
});
