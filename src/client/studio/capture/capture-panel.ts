/** The panel of camera and voice: framing, rate of the camera, microphone, its level and delay, the changed voice. */

import type { SessionStats } from '../../../shared/messages.ts';
import type { FramingChoice, SettingsPatch, SwapSettings } from '../../../shared/settings.ts';
import { t } from '../../language/translate.ts';
import { createElement, element } from '../../lib/dom.ts';
import { storedNote, storeNote } from '../../lib/local-notes.ts';
import { toast } from '../../lib/toast.ts';
import { LevelMeter } from '../../sound/level-meter.ts';
import { Microphone, microphoneProblem } from '../../sound/microphone.ts';
import type { Voice } from '../../sound/voice-changer.ts';

/** What the panel tells. */
export interface CapturePanelConf {
  onChange(patch: SettingsPatch): void;
  /** The stream's sound is another track from now on, or none. */
  onSound(track: MediaStreamTrack | null): void;
}

/** Holds the studio's microphone, which is open from the choice of one until it is switched off. */
export class CapturePanel {
  readonly #conf: CapturePanelConf;
  readonly #framing = element('framing', HTMLSelectElement);
  readonly #select = element('microphone', HTMLSelectElement);
  readonly #offset = element('soundOffsetMs', HTMLInputElement);
  readonly #pitch = element('voice-pitch', HTMLInputElement);
  readonly #timbre = element('voice-timbre', HTMLInputElement);
  readonly #microphone = new Microphone(() => void this.#onGone());
  readonly #meter = new LevelMeter(element('voice-level', HTMLMeterElement));
  #offsetMs = 0;

  constructor(conf: CapturePanelConf) {
    this.#conf = conf;
    this.#framing.addEventListener('change', () => conf.onChange({ framing: this.#framing.value as FramingChoice }));
    this.#select.addEventListener('change', () => void this.#open());
    this.#offset.addEventListener('input', () => conf.onChange({ soundOffsetMs: this.#offset.valueAsNumber }));
    for (const slider of [this.#pitch, this.#timbre]) slider.addEventListener('input', () => void this.#changeVoice());
    const rate = element('rate', HTMLSelectElement);
    rate.value = storedNote('rate') === '60' ? '60' : '30';
    rate.addEventListener('change', () => storeNote('rate', rate.value));
    navigator.mediaDevices?.addEventListener?.('devicechange', () => void this.#list());
    void this.#list();
  }

  /** The microphone's sound; null without one. */
  get sound(): MediaStreamTrack | null {
    return this.#microphone.track;
  }

  /** Sets the controls to the settings; tells no change. */
  show({ framing, soundOffsetMs }: SwapSettings): void {
    this.#framing.value = framing;
    element('zoom-field', HTMLElement).hidden = framing === 'whole';
    this.#offsetMs = soundOffsetMs;
    this.#offset.value = String(soundOffsetMs);
    element('soundOffsetMs-value', HTMLOutputElement).textContent = t('{{number}} ms', { number: soundOffsetMs });
  }

  /** Shows the measured delay of the sound. @param stats null while nothing is live. */
  showDelay(stats: SessionStats | null): void {
    const delay = stats?.soundDelayMs ?? null;
    element('sound-delay', HTMLElement).textContent = delayText(delay);
  }

  async #open(): Promise<void> {
    const { value } = this.#select;
    const latencyBefore = this.#microphone.latencyMs;
    if (value === 'none') this.#microphone.close();
    else
      await this.#microphone.open(value).catch((error: unknown) => {
        toast(microphoneProblem(error as Error));
        this.#select.value = 'none';
      });
    await this.#list();
    this.#tell(latencyBefore);
  }

  /** Tells of another track. A changed voice is late, for which the picture waits. */
  #tell(latencyBefore: number): void {
    this.#meter.show(this.#microphone.own);
    element('voice', HTMLElement).hidden = this.#microphone.own === null;
    const { latencyMs } = this.#microphone;
    if (latencyMs !== latencyBefore) {
      const { min, max, step } = this.#offset;
      const wanted = Number(step) * Math.round((this.#offsetMs + latencyBefore - latencyMs) / Number(step));
      this.#conf.onChange({ soundOffsetMs: Math.min(Number(max), Math.max(Number(min), wanted)) });
    }
    element('voice-latency', HTMLElement).textContent =
      latencyMs === 0 ? '' : t('{{number}} ms later', { number: latencyMs });
    this.#conf.onSound(this.#microphone.track);
  }

  async #changeVoice(): Promise<void> {
    const voice: Voice = { pitch: this.#pitch.valueAsNumber, timbre: this.#timbre.valueAsNumber };
    const signed = (value: number): string => (value > 0 ? `+${value}` : String(value));
    element('voice-pitch-value', HTMLOutputElement).textContent = signed(voice.pitch);
    element('voice-timbre-value', HTMLOutputElement).textContent = signed(voice.timbre);
    const latencyBefore = this.#microphone.latencyMs;
    const isOther = await this.#microphone.change(voice).catch(() => {
      toast(t('This browser cannot change the voice. It stays as it is.'));
      return false;
    });
    if (isOther) this.#tell(latencyBefore);
  }

  #onGone(): void {
    const latencyBefore = this.#microphone.latencyMs;
    this.#microphone.close();
    this.#select.value = 'none';
    toast(t('The microphone is gone. The stream goes on without sound.'));
    this.#tell(latencyBefore);
  }

  async #list(): Promise<void> {
    const devices = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
    const named = devices.filter(
      ({ kind, deviceId, label }) => kind === 'audioinput' && deviceId !== '' && label !== '',
    );
    const { value } = this.#select;
    this.#select.replaceChildren(
      createElement('option', { value: 'none', textContent: t('No sound') }),
      createElement('option', { value: '', textContent: t('Default microphone') }),
      ...named
        .filter(({ deviceId }) => deviceId !== 'default')
        .map(({ deviceId, label }) =>
          createElement('option', { value: deviceId, textContent: label, translate: false }),
        ),
    );
    this.#select.value = value;
    if (this.#select.selectedIndex < 0) this.#select.value = 'none';
  }
}

/** What waits for what. @param delayMs of the sound; null without sound. */
function delayText(delayMs: number | null): string {
  if (delayMs === null) return '–';
  return delayMs < 0
    ? t('picture waits {{number}} ms', { number: -delayMs })
    : t('sound waits {{number}} ms', { number: delayMs });
}
