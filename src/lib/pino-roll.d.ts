/** The part of pino-roll that lib/log.ts uses; the package has no types of its own. */
declare module 'pino-roll' {
  import type { SonicBoom } from 'sonic-boom';
  export interface RollOptions {
    file: string;
    extension?: string;
    size?: string;
    limit?: { count: number; removeOtherLogFiles?: boolean };
    mkdir?: boolean;
  }
  export default function roll(options: RollOptions): Promise<SonicBoom>;
}
