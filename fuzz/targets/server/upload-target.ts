import { mutatedBytes } from '../../mutate/mutate-bytes.ts';
import { mutatedText } from '../../mutate/mutate-text.ts';
import type { Random } from '../../mutate/random.ts';
import type { Target } from '../../run/target.ts';
import { pictureSamples } from '../pictures/picture-samples.ts';
import { FuzzServer } from './fuzz-server.ts';
import { askOf, inputOf } from './request-input.ts';

const BOUNDARY = 'fuzz-boundary';
const FIELDS = ['consent', 'name', 'pick', 'face', '__proto__', 'file', 'toString', ''];
const VALUES = ['true', 'false', 'Ada', '0', '7', '-1', '1e3', 'astronaut', '', '\0', 'A'.repeat(2000)];

/** A form with a picture, and in one of four cases with something wrong around the picture. */
function formOf(picture: Buffer, random: Random): Buffer {
  const fields: [string, string][] = [['consent', 'true']];
  if (random.chance(0.2)) fields.push([random.one(FIELDS), random.one(VALUES)]);
  const head = fields.map(
    ([name, value]) => `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  const file = `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="photo.png"\r\ncontent-type: image/png\r\n\r\n`;
  const before = head.join('') + file;
  const wrong = random.chance(0.25) ? mutatedText([before], random, FIELDS) : before;
  return Buffer.concat([Buffer.from(wrong), picture, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]);
}

/** Photos that are uploaded, with the forms around them. */
export const uploadTarget: Target = {
  name: 'upload',
  reads: 'uploads: multipart forms, and pictures decoded and searched for faces by the server',
  share: 1.5,
  parallel: 1,
  growthBytes: 256 * 2 ** 20,
  async open(folder) {
    const samples = await pictureSamples();
    const server = await FuzzServer.start(folder);
    return {
      make(random) {
        const path = random.chance(0.05) ? '/api/faces/preview' : '/api/faces';
        const headers = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` };
        const picture = random.chance(0.03) ? random.one(samples) : mutatedBytes(samples, random);
        return inputOf({ method: 'POST', path, headers, isLocked: false, hasToken: false }, formOf(picture, random));
      },
      async feed(input) {
        const { ask } = askOf(input);
        const answer = await server.ask(ask);
        const { location } = answer?.headers ?? {};
        if (answer?.status === 201 && location !== undefined)
          await server.ask({ method: 'DELETE', path: location, headers: {}, body: null });
        return answer !== null && answer.status < 300;
      },
      usedBytes: () => server.usedBytes(),
      close: () => server.close(),
    };
  },
};
