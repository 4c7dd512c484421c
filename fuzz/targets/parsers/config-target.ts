import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { variableOfKey } from '../../../src/config/config-variables.ts';
import { loadConfig, settingPaths } from '../../../src/config.ts';
import { root } from '../../../src/lib/package-root.ts';
import { readCatalogue } from '../../../src/pipeline/models/catalogue.ts';
import { mutatedText } from '../../mutate/mutate-text.ts';
import { holds, type Target } from '../../run/target.ts';

const YAML_WORDS = [
  '- ',
  '? ',
  '|',
  '>-',
  '<<: *a',
  '&a [*a]',
  '!!binary aGk=',
  '!!set {a}',
  '{a: b',
  '2026-11-29',
  '---',
  '...',
  '0o7',
  '~',
];

/** A short file, as people write them. */
const SHORT = [
  'server:',
  '  port: 9000',
  '  token: sixteencharacters',
  '  names: [studio.example]',
  'swap: {face: astronaut, strength: 0.5}',
  'webrtc:',
  '  iceServers:',
  '    - urls: ["stun:stun.example:3478"]',
  'metrics:',
  '  stageBucketsMs: [1, 2, 5]',
  '',
].join('\n');

/** config.yaml, variables and --set; and models.yaml. */
export const configTarget: Target = {
  name: 'config',
  reads: 'loadConfig (YAML, variables, --set), readCatalogue',
  share: 1.5,
  growthBytes: 24 * 2 ** 20,
  async open(folder) {
    const whole = readFileSync(path.join(root, 'config.yaml'), 'utf8');
    const models = readFileSync(path.join(root, 'models/models.yaml'), 'utf8');
    const assignments = settingPaths().map((key) => `${key}=1`);
    const file = path.join(folder, 'config.yaml');
    const words = [...YAML_WORDS, ...settingPaths().flatMap((key) => key.split('.'))];
    const catalogue = path.join(folder, 'models.yaml');
    return {
      make(random) {
        const kind = random.next();
        // The large files take milliseconds to parse.
        if (kind < 0.04) return Buffer.from(`config\n${mutatedText([whole], random, words)}`);
        if (kind < 0.08) return Buffer.from(`models\n${mutatedText([models], random, YAML_WORDS)}`);
        if (kind < 0.7) return Buffer.from(`config\n${mutatedText([SHORT], random, words)}`);
        return Buffer.from(`set\n${mutatedText([random.one(assignments)], random, words)}`);
      },
      feed(input) {
        const text = input.toString();
        const content = text.slice(text.indexOf('\n') + 1);
        if (text.startsWith('models')) {
          writeFileSync(catalogue, content);
          readCatalogue(folder);
          return true;
        }
        if (text.startsWith('config')) writeFileSync(file, content);
        const [key, ...value] = content.split('=');
        const isSet = text.startsWith('set');
        const config = loadConfig({
          file: isSet ? path.join(folder, 'none.yaml') : file,
          ...(isSet && { set: [content], env: { [variableOfKey(key ?? '')]: value.join('=') } }),
        });
        holds(
          path.isAbsolute(config.storage.dir) && Number.isInteger(config.server.port),
          'a config without its types',
        );
        return true;
      },
      close: async () => undefined,
    };
  },
};
