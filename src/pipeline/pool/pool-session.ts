/** One live session's end of the pool. */

import { isGenerator, type SettingsPatch, type SwapSettings, wearsFace } from '../../shared/settings.ts';
import type { Frame, SwappedFrame, SwapSession } from '../../shared/types.ts';
import type { Calls } from './lane-protocol.ts';
import type { LaneSlot, SlotSession } from './lanes.ts';

/** What a session needs of its pool. */
export interface SessionHost {
  /** @throws FaceOffError `unknown_model` (404), `model_missing` (409) for an engine that cannot be had here. */
  requireEngine(engine: string): void;
  /** @param before settings that hold now. @throws FaceOffError `unknown_face`, `unknown_model`, `unknown_background` (404), `consent_due` (409). */
  checked(settings: SwapSettings, before: SwapSettings | null): SwapSettings;
  /** Gives the slot's lane the faces that the settings want. */
  supply(slot: LaneSlot, settings: SwapSettings): void;
  /** The session was closed. */
  left(session: PoolSession): void;
}

/** Calls that change a session in its lane. */
type SessionCall = 'open' | 'set' | 'close';

/** A session in a lane's slot. Holds the settings that count, so that a new thread in the slot can be told them. */
export class PoolSession implements SwapSession, SlotSession {
  readonly id: string;
  readonly #host: SessionHost;
  readonly #slot: LaneSlot;
  #settings: SwapSettings;
  #closed = false;

  constructor(host: SessionHost, slot: LaneSlot, id: string, settings: SwapSettings) {
    this.id = id;
    this.#host = host;
    this.#slot = slot;
    this.#settings = settings;
    slot.sessions.add(this);
    this.reopen();
  }

  get settings(): SwapSettings {
    return this.#settings;
  }

  reopen(): void {
    this.#send('open', { session: this.id, settings: this.#settings });
    this.#host.supply(this.#slot, this.#settings);
  }

  /** Frames of a generator wait for the device and do not keep the lane busy; more of them make larger batches. */
  place(): Promise<() => void> {
    return isGenerator(this.#settings.engine) ? Promise.resolve(() => undefined) : this.#slot.admission.take();
  }

  async swap(frame: Frame, dropped = 0): Promise<SwappedFrame> {
    const slot = this.#slot;
    const done = await slot.thread.ask('swap', { session: this.id, frame, dropped }, [frame.data.buffer]);
    slot.busy = done.lane?.busy ?? 0;
    slot.reportedAtMs = performance.now();
    return done;
  }

  set(settings: SettingsPatch): void {
    if (settings.engine !== undefined) this.#host.requireEngine(settings.engine);
    this.#settings = this.#host.checked({ ...this.#settings, ...settings }, this.#settings);
    this.#host.supply(this.#slot, this.#settings);
    this.#send('set', { session: this.id, settings: this.#settings });
  }

  /**
   * Takes a removed face out of the settings, wherever it was chosen. A session that would not show the camera where a swap
   * cannot be made is guarded from then on: nothing shows the real face in place of the one that is gone.
   * @returns whether the face was chosen.
   */
  takeOff(id: string): boolean {
    const { face, map, fallback } = this.#settings;
    if (!wearsFace(this.#settings, id)) return false;
    const left = Object.entries(map).filter(([, chosen]) => chosen !== id);
    const guard = fallback === 'passthrough' ? {} : { guarded: true };
    this.set({ face: face === id ? null : face, map: Object.fromEntries(left), ...guard });
    return true;
  }

  /** Takes a removed picture out of the settings. The room stays hidden: without a picture it is blurred. */
  takeBackgroundOff(id: string): void {
    if (this.#settings.backgroundPicture === id) this.set({ backgroundPicture: null });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#slot.sessions.delete(this);
    this.#host.left(this);
    this.#send('close', { session: this.id });
  }

  /** A thread that just died need not hear of it: `reopen` tells its replacement everything. */
  #send<K extends SessionCall>(call: K, ask: Calls[K]['ask']): void {
    void this.#slot.thread.ask(call, ask).catch(() => undefined);
  }
}
