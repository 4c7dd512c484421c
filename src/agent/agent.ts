/** A worker of LiveKit: takes jobs while its load allows, and hands them over when it stops. Main thread. */

import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config.ts';
import type { Logger } from '../lib/log.ts';
import { type LiveKitAddress, LiveKitApi } from '../livekit/livekit-api.ts';
import type { Metrics } from '../metrics.ts';
import type { ContentCheck } from '../pipeline/content/content-check.ts';
import { Badge } from '../server/disclosure/badge.ts';
import { DisclosureRecord } from '../server/disclosure/disclosure-record.ts';
import { OffAirCard } from '../server/disclosure/off-air-card.ts';
import { Peers } from '../server/h264/peers.ts';
import { ServerEvents } from '../server/hooks/server-events.ts';
import { Monitor } from '../server/monitor/monitor.ts';
import { Sessions } from '../server/session/sessions.ts';
import { Streams } from '../server/session/streams.ts';
import { messageOf } from '../shared/errors.ts';
import type { Gpu } from '../shared/gpu.ts';
import type { Swapping } from '../shared/types.ts';
import { AgentMetrics } from './agent-metrics.ts';
import { LoadMeter } from './load-meter.ts';
import { type RoomLink, RoomLinks } from './room-link.ts';
import type { RtcLibrary } from './rtc-library.ts';
import { SwapJobs } from './swap-jobs.ts';
import { WorkerConnection } from './worker-connection.ts';

/** What a worker works with; all of it is loaded and warm before `Agent.start`. */
export interface AgentParts {
  /** Checks what swapped pictures show; null where the settings want none. */
  contentCheck: ContentCheck | null;
  config: Config;
  at: LiveKitAddress;
  library: RtcLibrary;
  pool: Swapping;
  metrics: Metrics;
  /** Whether a model runs on the GPU. */
  usesGpu: () => boolean;
  gpu: Gpu | null;
  version: string;
  log: Logger;
}

/** How often the load is measured and told. */
const REPORT_MS = 500;
/** How long a job stays beside its successor: viewers have to get the successor's first picture. */
const OVERLAP_MS = 500;

/** A worker that is registered, or registers again. */
export class Agent {
  readonly #parts: AgentParts;
  readonly #api: LiveKitApi;
  readonly #sessions: Sessions<RoomLink>;
  readonly #jobs: SwapJobs;
  readonly #connection: WorkerConnection;
  readonly #monitor: Monitor;
  readonly #metrics: AgentMetrics;
  readonly #meter = new LoadMeter();
  readonly #timer: NodeJS.Timeout;
  #closed = false;

  private constructor(parts: AgentParts, badge: Badge, offAirCard: OffAirCard) {
    const { config, at, library, pool, metrics, usesGpu, gpu, version, log } = parts;
    this.#parts = parts;
    this.#api = new LiveKitApi(at);
    this.#metrics = new AgentMetrics(metrics.registry);
    const events = new ServerEvents();
    const disclosure = new DisclosureRecord(config);
    const { contentCheck } = parts;
    const links = new RoomLinks(library, config.livekit, log);
    const streams = new Streams({ config, metrics, events, log, peers: new Peers(config, log) });
    const machine = () => this.#monitor.figures;
    this.#sessions = new Sessions({
      config,
      pool,
      streams,
      peers: links,
      badge,
      offAirCard,
      disclosure,
      contentCheck,
      metrics,
      events,
      log,
      machine,
    });
    this.#monitor = new Monitor({
      memory: config.memory,
      gpu,
      metrics,
      log,
      usesGpu,
      othersBytes: () => pool.deviceRssBytes ?? 0,
      othersCpuMs: () => pool.deviceCpuMs ?? 0,
      load: () => this.#sessions.load(),
    });
    this.#monitor.onPressure((pressure) => pool.pressure(pressure));
    this.#jobs = new SwapJobs({
      at,
      sessions: this.#sessions,
      // Viewers are promised that they never see a bare face; its publisher alone may choose otherwise.
      defaults: { guarded: true },
      hasRoom: (jobs) => this.#freeJobs(jobs) > 0,
      onEnd: (job, status, error) => this.#connection.ended(job, status, error),
      onChange: () => this.#report(),
      metrics: this.#metrics,
      log,
    });
    this.#connection = new WorkerConnection({
      at,
      agentName: config.livekit.agentName,
      version,
      onOffer: (job) => this.#jobs.offer(job),
      onAssignment: (assignment) => this.#jobs.begin(assignment),
      onTermination: (job) => this.#jobs.terminate(job),
      onRegistered: (isRegistered) => {
        this.#metrics.registered(isRegistered);
        if (isRegistered) this.#report();
      },
      log,
    });
    this.#timer = setInterval(() => this.#tick(), REPORT_MS);
  }

  /** Registers with LiveKit. @throws FaceOffError `livekit_refused`, `livekit_unreachable`; then nothing is left open. */
  static async start(parts: AgentParts): Promise<Agent> {
    const { disclosure, pipeline } = parts.config;
    const badge = await Badge.render(disclosure.corner);
    const agent = new Agent(parts, badge, await OffAirCard.open(pipeline.offAirPicture));
    try {
      await agent.#connection.open();
      return agent;
    } catch (error) {
      await agent.close();
      throw error;
    }
  }

  /** Whether LiveKit gives the worker jobs. */
  get isRegistered(): boolean {
    return this.#connection.isRegistered;
  }

  /** Whether the worker hands its jobs over and takes none. */
  get isDraining(): boolean {
    return this.#jobs.isDraining;
  }

  /** The worker's load, and its numbers of jobs. */
  get figures(): { load: number; jobs: number; free: number } {
    const load = this.#meter.load(this.#jobs.pending);
    const jobs = this.#jobs.size;
    return { load: Math.round(1000 * load) / 1000, jobs, free: this.#freeJobs(jobs) };
  }

  /** Brings the gauges up to date that do not change by themselves. */
  measure(): void {
    const { load, jobs, free } = this.figures;
    this.#metrics.jobs(load, jobs, free);
    this.#sessions.measure();
  }

  /**
   * Takes no more jobs; each that runs is dispatched anew, and ends when another worker's pictures are there.
   * @param patienceMs longest wait for that.
   */
  async drain(patienceMs: number): Promise<void> {
    this.#jobs.drain();
    this.#report();
    await Promise.all(this.#jobs.all().map((job) => this.#handOver(job, patienceMs)));
  }

  /** Ends jobs and connection. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#jobs.close();
    this.#monitor.close();
    this.#sessions.close();
    // What the jobs had to tell LiveKit goes out first.
    await delay(20);
    this.#connection.close();
  }

  async #handOver(job: ReturnType<SwapJobs['all']>[number], patienceMs: number): Promise<void> {
    const { log, config } = this.#parts;
    const waiting = new AbortController();
    try {
      const { id } = await this.#api.dispatch(job.room, config.livekit.agentName);
      const came = await Promise.race([
        job.successor.then(() => 'taken' as const),
        job.ended.then(() => 'ended' as const),
        delay(patienceMs, 'late' as const, { signal: waiting.signal }),
      ]);
      if (came === 'taken') {
        await delay(OVERLAP_MS);
        this.#metrics.handedOver();
      } else if (came === 'late') log.warn({ session: job.session.id }, 'no other worker took the job in time');
      // Both dispatches would answer a publisher that comes back.
      await this.#api.removeDispatch(job.room, came === 'taken' ? job.dispatch : id);
    } catch (error) {
      log.warn({ session: job.session.id, error: messageOf(error) }, 'a job could not be handed over');
    } finally {
      waiting.abort();
    }
    job.session.close('another worker took the job');
  }

  /** @param jobs number of jobs that run or were accepted. */
  #freeJobs(jobs: number): number {
    const { limits, livekit } = this.#parts.config;
    const left = livekit.maxLoad - this.#meter.load(this.#jobs.pending);
    if (left <= 0 || this.#jobs.isDraining) return 0;
    return Math.max(0, Math.min(limits.sessions - jobs, Math.max(1, Math.floor(left / this.#meter.jobShare))));
  }

  #tick(): void {
    const { capacity } = this.#parts.pool;
    if (capacity !== undefined) this.#meter.observe(capacity, this.#sessions.load().level, this.#jobs.settled);
    this.#jobs.tick();
    this.#report();
  }

  #report(): void {
    if (!this.#connection.isRegistered) return;
    const { load, jobs, free } = this.figures;
    this.#connection.report(load, free === 0, jobs);
  }
}
