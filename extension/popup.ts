/** The extension's popup: the sites that get the camera, the face, and the server. */

import { createElement, element } from '../src/client/lib/dom.ts';
import { joinUrl } from '../src/shared/join-url.ts';
import type { FaceInfo } from '../src/shared/messages.ts';
import { type Choices, DEFAULTS, patternOf } from './extension-protocol.ts';

const site = element('site', HTMLInputElement);
const face = element('face', HTMLSelectElement);
const server = element('server', HTMLInputElement);
const token = element('token', HTMLInputElement);
const stream = element('stream', HTMLInputElement);
const always = element('always', HTMLInputElement);
const modes = [...document.querySelectorAll<HTMLInputElement>('input[name="mode"]')];
const showState = (text: string): void => {
  element('state', HTMLElement).textContent = text;
};

const ANSWER_WITHIN_MS = 4000;

const choices = async (): Promise<Choices> => chrome.storage.local.get<Choices>({ ...DEFAULTS });
const choose = async (patch: Partial<Choices>): Promise<void> => chrome.storage.local.set(patch);

async function show(): Promise<void> {
  const [tab] = await chrome.tabs.query({ active: true, currentWindow: true });
  const chosen = await choices();
  const pattern = patternOf(tab?.url);
  if (pattern !== null) {
    site.disabled = false;
    site.checked = chosen.sites.includes(pattern);
    element('site-label', HTMLElement).textContent = `Use on ${new URL(tab!.url!).hostname}`;
    site.addEventListener('change', () => void (site.checked ? allow(pattern, tab!.id!) : forbid(pattern)));
  }
  server.value = chosen.server;
  token.value = chosen.token;
  stream.value = chosen.stream;
  always.checked = chosen.always;
  for (const mode of modes) mode.checked = mode.value === chosen.mode;
  element('origin', HTMLInputElement).value = location.origin;
  await showFaces();
}

/** Allows a site, after the browser asked the person. The open page gets the camera at once, others when they load. */
async function allow(pattern: string, tabId: number): Promise<void> {
  site.checked = await chrome.permissions.request({ origins: [pattern] }).catch(() => false);
  if (!site.checked) return;
  const { sites } = await choices();
  await choose({ sites: [...new Set([...sites, pattern])] });
  const target = { tabId, allFrames: true };
  await chrome.scripting.executeScript({ target, files: ['bridge.js'], world: 'ISOLATED' });
  await chrome.scripting.executeScript({ target, files: ['page.js'], world: 'MAIN' });
  showState('The page has a FaceOff camera now. If it does not show it, reload the page.');
}

async function forbid(pattern: string): Promise<void> {
  const { sites } = await choices();
  await choose({ sites: sites.filter((one) => one !== pattern) });
  // The browser does not take back permissions that the manifest requires.
  await chrome.permissions.remove({ origins: [pattern] }).catch(() => false);
  showState('Reload the page to take the FaceOff camera away from it.');
}

async function showFaces(): Promise<void> {
  const chosen = await choices();
  try {
    const answer = await fetch(joinUrl(chosen.server, '/api/faces'), {
      ...(chosen.token !== '' && { headers: { authorization: `Bearer ${chosen.token}` } }),
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    if (!answer.ok) throw new Error(((await answer.json()) as { message: string }).message);
    const faces = (await answer.json()) as FaceInfo[];
    const options = faces.map(({ id, name }) => createElement('option', { value: id, textContent: name }));
    face.replaceChildren(createElement('option', { value: '', textContent: 'the server’s own choice' }), ...options);
    face.value = faces.some(({ id }) => id === chosen.face) ? chosen.face : '';
    showState(`The server at ${chosen.server} is ready.`);
  } catch (error) {
    const why = error instanceof Error && !(error instanceof TypeError) ? error.message : 'Start it with npm start.';
    showState(`The server at ${chosen.server} cannot be used. ${why}`);
  }
}

async function changeServer(): Promise<void> {
  if (!URL.canParse(server.value)) {
    showState('The address must be like http://127.0.0.1:8080.');
    return;
  }
  const { origin, pathname } = new URL(server.value);
  const address = origin + pathname.replace(/\/+$/, '');
  const pattern = patternOf(origin);
  const isAllowed = pattern !== null && (await chrome.permissions.request({ origins: [pattern] }).catch(() => false));
  if (!isAllowed) {
    showState('The browser does not let the extension use that server.');
    return;
  }
  await choose({ server: address, token: '' });
  server.value = address;
  token.value = '';
  await showFaces();
}

face.addEventListener('change', () => void choose({ face: face.value }));
always.addEventListener('change', () => void choose({ always: always.checked }));
stream.addEventListener('change', () => void choose({ stream: stream.value.trim() || DEFAULTS.stream }));
token.addEventListener('change', () => void choose({ token: token.value.trim() }).then(showFaces));
server.addEventListener('change', () => void changeServer());
for (const mode of modes) mode.addEventListener('change', () => void choose({ mode: mode.value as Choices['mode'] }));

await show();
