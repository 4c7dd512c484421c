/** The page `/detect`: looks for the invisible mark in a file that a person chooses. Nothing is sent to the server. */

import '../language/page-language.ts';

import { LEAST_SCORE, type MarkFinding } from '../../watermark/mark-detector.ts';
import { showNumber, t } from '../language/translate.ts';
import { element } from '../lib/dom.ts';
import { serverUrl } from '../lib/server-url.ts';
import { picturesOf } from './pictures-of.ts';

const drop = element('drop', HTMLElement);
const input = element('file', HTMLInputElement);
const progress = element('progress', HTMLProgressElement);
const result = element('result', HTMLElement);

const worker = new Worker(serverUrl('/detector-worker.js'), { type: 'module' });

/** The file that is looked at; an earlier one is given up. */
let current: File | null = null;

function show(text: string, className: '' | 'found' | 'failed' = ''): void {
  result.textContent = text;
  result.className = className;
}

function describe({ isMarked, score, pictures }: MarkFinding): string {
  const seen = { score: showNumber(score, 1), count: pictures };
  return isMarked
    ? t('AI-modified: it has FaceOff’s mark (score {{score}} in {{count}} pictures).', seen)
    : t('No mark was found (score {{score}} in {{count}} pictures; a mark has {{least}} or more).', {
        ...seen,
        least: LEAST_SCORE,
      });
}

/** What the worker finds in the pictures it was sent. */
function search(): Promise<MarkFinding> {
  return new Promise((resolve, reject) => {
    worker.addEventListener('message', ({ data }: MessageEvent<MarkFinding>) => resolve(data), { once: true });
    worker.addEventListener('error', () => reject(new Error('the search failed')), { once: true });
    worker.postMessage(null);
  });
}

async function look(file: File): Promise<void> {
  current = file;
  input.disabled = true;
  progress.hidden = false;
  progress.value = 0;
  show(t('Looking …'));
  try {
    for await (const { picture, done } of picturesOf(file)) {
      worker.postMessage(picture, [picture.values.buffer]);
      progress.value = 0.9 * done;
    }
    const found = await search();
    show(describe(found), found.isMarked ? 'found' : '');
  } catch {
    show(t('This browser cannot read the file. `faceoff detect FILE` reads more formats.'), 'failed');
  } finally {
    current = null;
    input.disabled = false;
    progress.hidden = true;
  }
}

const choose = (files: FileList | null | undefined): void => {
  const file = files?.[0];
  if (file !== undefined && current === null) void look(file);
};

input.addEventListener('change', () => choose(input.files));
for (const name of ['dragenter', 'dragover'])
  document.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add('over');
  });
document.addEventListener('dragleave', () => drop.classList.remove('over'));
document.addEventListener('drop', (event) => {
  event.preventDefault();
  drop.classList.remove('over');
  choose(event.dataTransfer?.files);
});
