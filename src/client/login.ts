/** The page that asks for the server's token; the browser keeps a cookie for it, the page keeps nothing. */

import { element } from './dom.ts';

const form = element('login', HTMLFormElement);
const token = element('token', HTMLInputElement);
const message = element('message', HTMLParagraphElement);

async function logIn(): Promise<void> {
  const answer = await fetch('/api/login', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token: token.value.trim() }),
  }).catch(() => null);
  if (answer?.ok) {
    location.reload();
    return;
  }
  message.hidden = false;
  message.textContent =
    answer?.status === 401 ? 'That is not the token of this server.' : 'The server does not answer. Try again.';
  token.select();
}

token.focus();
form.addEventListener('submit', (event) => {
  event.preventDefault();
  void logIn();
});
