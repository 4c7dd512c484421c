import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Metrics of a worker of LiveKit; docs/metrics.md lists them. */
export class AgentMetrics {
  readonly #load: Gauge;
  readonly #jobs: Gauge;
  readonly #room: Gauge;
  readonly #registered: Gauge;
  readonly #refused: Counter;
  readonly #handedOver: Counter;
  readonly #firstPicture: Histogram;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#load = new Gauge({
      name: 'faceoff_agent_load',
      help: 'Load that the worker tells LiveKit, 0 to 1',
      registers,
    });
    this.#jobs = new Gauge({ name: 'faceoff_agent_jobs', help: 'Jobs that run', registers });
    this.#room = new Gauge({
      name: 'faceoff_agent_free_jobs',
      help: 'Jobs that the worker has room for, by its load',
      registers,
    });
    this.#registered = new Gauge({
      name: 'faceoff_agent_registered',
      help: 'Whether LiveKit gives this worker jobs: 1, or 0',
      registers,
    });
    this.#refused = new Counter({ name: 'faceoff_agent_refused_total', help: 'Jobs that were refused', registers });
    this.#handedOver = new Counter({
      name: 'faceoff_agent_handed_over_total',
      help: 'Jobs that a successor took over while the worker drained',
      registers,
    });
    this.#firstPicture = new Histogram({
      name: 'faceoff_agent_first_picture_seconds',
      help: 'From the assignment of a job to its first picture',
      buckets: [0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10],
      registers,
    });
  }

  /** Sets the load, the number of jobs and the room for more. */
  jobs(load: number, jobs: number, free: number): void {
    this.#load.set(load);
    this.#jobs.set(jobs);
    this.#room.set(free);
  }

  /** Sets whether the worker is registered. */
  registered(isRegistered: boolean): void {
    this.#registered.set(isRegistered ? 1 : 0);
  }

  /** Counts a refused job. */
  refused(): void {
    this.#refused.inc();
  }

  /** Counts a job that a successor took over. */
  handedOver(): void {
    this.#handedOver.inc();
  }

  /** Notes how long a job took to its first picture. */
  firstPicture(ms: number): void {
    this.#firstPicture.observe(ms / 1000);
  }
}
